//! A seed or a peer in a story: started with `--json`, waited for by its events, stopped as a person would.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::binaries;
use super::outside::is_root;
use super::program::Program;

/// No story waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// Everyone listens here.
pub const ANYWHERE: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A running program of ours.
pub struct Node {
    name: String,
    program: Program,
}

/// How a program ended.
pub struct End {
    /// Its exit code.
    pub code: Option<i32>,
    /// The events that nobody had waited for.
    pub events: Vec<Value>,
    /// What it said on standard error, and those events as they came.
    pub talk: String,
}

impl Node {
    /// Starts `minibit-tracker` with these words and `--json`; its log is `place/NAME.log`.
    pub fn tracker<S: AsRef<OsStr>>(place: &Path, name: &str, words: impl IntoIterator<Item = S>) -> Node {
        Node::start(binaries::tracker(), place, name, words)
    }

    /// Starts `minibit-peer` likewise.
    pub fn peer<S: AsRef<OsStr>>(place: &Path, name: &str, words: impl IntoIterator<Item = S>) -> Node {
        Node::start(binaries::peer(), place, name, words)
    }

    /// Starts `minibit-peer` likewise; it may write only where its user may, though that be root.
    pub fn powerless_peer(place: &Path, name: &str, words: &[&str]) -> Node {
        if !is_root() {
            return Node::peer(place, name, words);
        }
        let dropped = ["--bounding-set", "-dac_override,-dac_read_search", Node::peer_program()];
        Node::other(place, name, "setpriv", [&dropped[..], words].concat())
    }

    /// Starts `minibit-tracker` likewise, within what `ulimit` is told.
    pub fn cramped_tracker(place: &Path, name: &str, limit: &str, words: &[&str]) -> Node {
        Node::cramped(&binaries::tracker(), place, name, limit, words)
    }

    /// Starts `minibit-peer` likewise.
    pub fn cramped_peer(place: &Path, name: &str, limit: &str, words: &[&str]) -> Node {
        Node::cramped(&binaries::peer(), place, name, limit, words)
    }

    fn cramped(binary: &Path, place: &Path, name: &str, limit: &str, words: &[&str]) -> Node {
        let command = format!("ulimit {limit}; exec \"$0\" \"$@\"");
        Node::start("sh".into(), place, name, [&["-c", &command, str(binary)], words].concat())
    }

    /// Starts another program likewise, which will run one of ours.
    pub fn other(
        place: &Path,
        name: &str,
        program: &str,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Node {
        Node::start(program.into(), place, name, words)
    }

    /// Where `minibit-peer` is.
    pub fn peer_program() -> &'static str {
        env!("CARGO_BIN_EXE_minibit-peer")
    }

    fn start<S: AsRef<OsStr>>(
        binary: PathBuf,
        place: &Path,
        name: &str,
        words: impl IntoIterator<Item = S>,
    ) -> Node {
        let mut command = Command::new(binary);
        command.args(words).arg("--json").current_dir(place);
        // What is set around the tests must not change what the programs do.
        for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("MINIBIT_")) {
            command.env_remove(key);
        }
        command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
        let program = Program::start(&mut command, &place.join(format!("{name}.log")));
        Node { name: name.to_owned(), program: program.expect("the program can be started") }
    }

    /// The next event of this kind; others are passed over. Panics with what the program said if it does not come.
    pub fn wait_for(&self, kind: &str) -> Value {
        self.wait_until(kind, |_| true)
    }

    /// The next event of this kind of which `enough` holds.
    pub fn wait_until(&self, kind: &str, enough: impl Fn(&Value) -> bool) -> Value {
        self.wait_for_any(&[kind], enough)
    }

    fn wait_for_any(&self, kinds: &[&str], enough: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.program.event(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    assert_eq!(event["v"], 1, "{}: {event}", self.name);
                    if kinds.iter().any(|kind| event["event"] == *kind) && enough(&event) {
                        return event;
                    }
                }
                Err(why) => {
                    panic!(
                        "{}: {why} while waiting for {kinds:?}. It said:\n{}",
                        self.name,
                        self.program.talk()
                    )
                }
            }
        }
    }

    /// The next thing that it complains of: a warning, or why it ends.
    pub fn trouble(&self) -> String {
        let event = self.wait_for_any(&["warning", "error"], |_| true);
        text(&event, "message")
    }

    /// Waits until it ends by itself.
    pub fn end(mut self) -> End {
        let deadline = Instant::now() + PATIENCE;
        let mut events = Vec::new();
        loop {
            match self.program.event(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => events.push(event),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} does not end. It said:\n{}", self.name, self.program.talk())
                }
            }
        }
        let status = self.program.child.wait().expect("it is our child");
        let mut talk = self.program.talk();
        events.iter().for_each(|event| talk.push_str(&format!("{event}\n")));
        End { code: status.code(), events, talk }
    }

    /// Stops it as Ctrl-C would, and waits for its end.
    pub fn interrupt(self) -> End {
        self.signal("INT");
        self.end()
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let signalled = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
        assert!(signalled.is_ok_and(|status| status.success()), "{} cannot be signalled", self.name);
    }

    /// Ends it as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.program.child.kill(); // fails only when it has ended
        let _ = self.program.child.wait();
    }

    /// Passes over what it has told so far, for whoever lets it run for long: it waits for its reader in the end.
    pub fn pass_over(&self) {
        while self.program.event(Duration::ZERO).is_ok() {}
    }

    /// What it has said on standard error so far.
    pub fn talk(&self) -> String {
        self.program.talk()
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.program.child.id()
    }

    /// Where it accepts connections; to be asked once, first.
    pub fn address(&self) -> String {
        text(&self.wait_for("listening"), "addr")
    }
}

/// A seed of `path`, and its link.
pub fn seed(place: &Path, path: &Path, options: &[&str]) -> (Node, String) {
    let words = [&["seed", str(path)], &ANYWHERE[..], options].concat();
    let node = Node::tracker(place, "seed", words);
    let link = text(&node.wait_for("share"), "link");
    (node, link)
}

/// A peer that downloads `share` (a link or a metainfo file) into `place/NAME`.
pub fn join(place: &Path, name: &str, share: &str, options: &[&str]) -> Node {
    Node::peer(place, name, [&["join", share, "-o", name], &ANYWHERE[..], options].concat())
}

/// A field that is text.
pub fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_else(|| panic!("no text '{key}' in {event}")).to_owned()
}

/// A field that is a number.
pub fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_else(|| panic!("no number '{key}' in {event}"))
}

/// The bytes that a `complete` event counts as fetched to some use, from whomever.
pub fn fetched(complete: &Value) -> u64 {
    number(complete, "from_seed_bytes") + number(complete, "from_peer_bytes")
}

/// A path of our own making is always text.
pub fn str(path: &Path) -> &str {
    path.to_str().expect("test folders have plain names")
}
