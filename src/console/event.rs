//! What `--json` prints: one object per line, each with `"v": 1` and `"event"`. The names here are a contract.

use serde::Serialize;

/// Something that a program may want to know. Ids and digests are lower-case hex; names and paths are escaped.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Connections are accepted here.
    Listening {
        /// As bound.
        addr: String,
    },
    /// A share is known; always after `listening` where there is one.
    Share {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// Bytes in all.
        bytes: u64,
        /// Pieces in all.
        pieces: u32,
        /// The line to send to others.
        link: String,
    },
    /// A peer came, changed or went.
    Peer {
        /// Who.
        id: String,
        /// Where.
        addr: String,
        /// `connected`, `seeding` or `gone`.
        state: &'static str,
    },
    /// What is there already, or what is to be shared, is being hashed.
    Checking {
        /// Bytes looked at.
        done_bytes: u64,
        /// Bytes to look at.
        total_bytes: u64,
    },
    /// What is to be shared was hashed in an earlier run, and looks as it did then: so much of it was not read.
    Unchanged {
        /// What was to be hashed.
        path: String,
        /// Files, empty ones not counted.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Each second, for each share, and once at the end.
    Progress {
        /// Which share.
        share: String,
        /// Bytes held of what is wanted.
        done_bytes: u64,
        /// Bytes wanted; 0 while the share is not known yet.
        total_bytes: u64,
        /// Payload bytes sent.
        sent_bytes: u64,
        /// Bytes a second, received.
        down_rate: u64,
        /// Bytes a second, sent.
        up_rate: u64,
        /// Linked peers.
        peers: usize,
    },
    /// Everything wanted is verified and in its place.
    Complete {
        /// Which share.
        share: String,
        /// Where it is.
        path: String,
        /// Bytes wanted.
        bytes: u64,
        /// Since the start.
        seconds: f64,
        /// Received from those who held everything when we met.
        from_seed_bytes: u64,
        /// Received from others.
        from_peer_bytes: u64,
        /// Received in vain.
        wasted_bytes: u64,
    },
    /// A peer was caught lying and is refused from now on.
    Banned {
        /// Who.
        peer: String,
        /// What it did.
        reason: String,
    },
    /// Something a person should know.
    Warning {
        /// One line.
        message: String,
    },
    /// A file of a share, from `show`.
    File {
        /// Below the share's folder.
        path: String,
        /// Bytes.
        bytes: u64,
        /// Whether it may be executed.
        executable: bool,
    },
    /// What a link says, from `show`, and from `serve` of a share it knows no more of.
    Link {
        /// The share's id.
        id: String,
        /// Its name, if the link says one.
        name: Option<String>,
        /// Where to begin.
        peers: Vec<String>,
    },
    /// A metainfo file was written, by `create`.
    Created {
        /// Where.
        path: String,
    },
    /// A file that is not as it should be, from `verify`.
    Fault {
        /// Which.
        path: String,
        /// What is wrong, where `ranges` does not tell.
        what: String,
        /// Byte ranges `[from, to)` that do not match.
        ranges: Vec<[u64; 2]>,
    },
    /// The end of `verify`.
    Verified {
        /// Files looked at.
        files: usize,
        /// Bytes they should have.
        bytes: u64,
        /// Files that are not as they should be.
        bad_files: usize,
    },
    /// Why the program ends.
    Error {
        /// A stable word.
        code: &'static str,
        /// One line.
        message: String,
    },
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    event: &'a Event,
}

impl Event {
    /// The object, without the end of the line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&Line { v: 1, event: self }).expect("plain structures of text and numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text() -> String {
        "x".to_owned()
    }

    #[test]
    fn the_names_in_json_stay_as_they_are() {
        let table = [
            (Event::Listening { addr: text() }, r#""event":"listening","addr":"x""#),
            (
                Event::Share { id: text(), name: text(), bytes: 1, pieces: 2, link: text() },
                r#""event":"share","id":"x","name":"x","bytes":1,"pieces":2,"link":"x""#,
            ),
            (
                Event::Peer { id: text(), addr: text(), state: "gone" },
                r#""event":"peer","id":"x","addr":"x","state":"gone""#,
            ),
            (
                Event::Progress {
                    share: text(),
                    done_bytes: 1,
                    total_bytes: 2,
                    sent_bytes: 3,
                    down_rate: 4,
                    up_rate: 5,
                    peers: 6,
                },
                r#""event":"progress","share":"x","done_bytes":1,"total_bytes":2,"sent_bytes":3,"down_rate":4,"up_rate":5,"peers":6"#,
            ),
            (
                Event::Complete {
                    share: text(),
                    path: text(),
                    bytes: 1,
                    seconds: 1.5,
                    from_seed_bytes: 2,
                    from_peer_bytes: 3,
                    wasted_bytes: 4,
                },
                r#""event":"complete","share":"x","path":"x","bytes":1,"seconds":1.5,"from_seed_bytes":2,"from_peer_bytes":3,"wasted_bytes":4"#,
            ),
            (Event::Banned { peer: text(), reason: text() }, r#""event":"banned","peer":"x","reason":"x""#),
            (
                Event::Error { code: "failed", message: text() },
                r#""event":"error","code":"failed","message":"x""#,
            ),
            (Event::Warning { message: text() }, r#""event":"warning","message":"x""#),
            (
                Event::Checking { done_bytes: 1, total_bytes: 2 },
                r#""event":"checking","done_bytes":1,"total_bytes":2"#,
            ),
            (
                Event::Unchanged { path: text(), files: 1, bytes: 2 },
                r#""event":"unchanged","path":"x","files":1,"bytes":2"#,
            ),
            (
                Event::Fault { path: text(), what: String::new(), ranges: vec![[0, 5]] },
                r#""event":"fault","path":"x","what":"","ranges":[[0,5]]"#,
            ),
            (
                Event::Verified { files: 1, bytes: 2, bad_files: 0 },
                r#""event":"verified","files":1,"bytes":2,"bad_files":0"#,
            ),
        ];
        for (event, body) in table {
            assert_eq!(event.to_json(), format!(r#"{{"v":1,{body}}}"#));
        }
    }

    #[test]
    fn a_line_break_in_a_text_does_not_break_the_line() {
        assert!(!Event::Warning { message: "a\nb".into() }.to_json().contains('\n'));
    }
}
