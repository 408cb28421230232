//! Makes a journal believe that files laid down anew are those it knew: the shortest way to bytes that changed below their times.

use std::fs;
use std::path::{Path, PathBuf};

use minibit::net::content::Scanned;
use sha2::{Digest, Sha256};

use crate::support::room;

/// A journal that was closed tells how the files looked on the disk it was written on. Here they were laid down anew: their
/// looks are put in the place of the old ones, as if nothing but their bytes had been lost in the crash. This is the worst
/// that can be. Where a move was lost another file stands, which no disk takes for the one that was moved.
pub fn retouch_journal(shared: &Scanned, dir: &Path) {
    let path = room(dir, shared).join("journal");
    let Ok(text) = fs::read_to_string(&path) else { return };
    let Some(head) = text.lines().next() else { return };
    let (mut old, mut new) = (Chain::new(head), Chain::new(head));
    let mut retouched = format!("{head}\n");
    for line in text.split_inclusive('\n').skip(1) {
        let Some((link, body)) = line.trim_end_matches('\n').split_once(' ') else { return };
        if !line.ends_with('\n') || link != old.next(body) {
            return;
        }
        let body = looks(shared, dir, body).unwrap_or_else(|| body.to_owned());
        retouched += &format!("{} {body}\n", new.next(&body));
    }
    fs::write(&path, retouched).expect("a journal");
}

fn looks(shared: &Scanned, dir: &Path, body: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let mut words = body.split(' ');
    let (word, file) = (words.next()?, words.next()?);
    let partial = room(dir, shared).join("partial").join(file);
    let path: PathBuf = match word {
        "making" => partial,
        "standing" if !partial.exists() => {
            dir.join("tree").join(shared.metainfo.files()[file.parse::<usize>().ok()?].path.to_string())
        }
        _ => return None,
    };
    let data = fs::metadata(path).ok()?;
    let times =
        [data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec()].map(|time| time.to_string());
    Some(format!("{word} {file} {} {} {} {}", data.len(), times.join(" "), data.dev(), data.ino()))
}

/// The journal's chain, written a second time.
struct Chain(Vec<u8>);

impl Chain {
    fn new(head: &str) -> Chain {
        Chain(Sha256::digest(format!("{head}\n")).to_vec())
    }

    fn next(&mut self, body: &str) -> String {
        self.0 = Sha256::digest([&self.0, body.as_bytes()].concat()).to_vec();
        self.0[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
