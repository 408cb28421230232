//! What libtorrent thinks of our shares, and we of its: live, where Debian's python3-libtorrent is installed.
//!
//! Elsewhere each test says so and passes, unless `MINIBIT_REQUIRE_LIBTORRENT=1` or, in CI, `MINIBIT_CI=1`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::tempdir;

use super::content::{noise, tree, write};
use super::node::{End, Node, join, seed, str};
use super::{binaries, outside};

/// Debian's own: its libtorrent is not to be seen from another python.
const PYTHON: &str = "/usr/bin/python3";
const PIECE_BYTES: usize = 65_536;

fn available() -> bool {
    let there = outside::can(PYTHON, "import libtorrent");
    let demanded = |name| std::env::var(name).is_ok_and(|value| value == "1");
    let required = demanded("MINIBIT_REQUIRE_LIBTORRENT") || demanded("MINIBIT_CI");
    assert!(there || !required, "{PYTHON} cannot import libtorrent, and it is required");
    if !there {
        eprintln!("skipped: {PYTHON} cannot import libtorrent");
    }
    there
}

fn libtorrent(words: &[&str]) -> String {
    outside::answer(PYTHON, &binaries::project().join("tests/libtorrent_live/lt.py"), words)
}

fn peer(place: &Path, words: &[&str]) -> End {
    Node::peer(place, words[0], words.iter().copied()).end()
}

/// Lengths that tell: around a leaf, around a piece, several pieces.
const LENGTHS: [usize; 10] = [
    1,
    16_383,
    16_384,
    16_385,
    PIECE_BYTES - 1,
    PIECE_BYTES,
    PIECE_BYTES + 1,
    3 * PIECE_BYTES,
    7 * PIECE_BYTES - 1,
    40 * PIECE_BYTES + 12_345,
];

/// Single files of telling lengths; nested folders; names that are not ASCII; names that sort in surprising ways.
fn telling_trees(place: &Path) -> Vec<PathBuf> {
    let mut trees: Vec<PathBuf> = LENGTHS.map(|length| place.join(format!("single-{length}"))).into();
    for (path, length) in trees.iter().zip(LENGTHS) {
        write(path, &noise(length as u64, length));
    }
    let all = place.join("all");
    for length in [0].into_iter().chain(LENGTHS) {
        write(&all.join(format!("file-{length}")), &noise(length as u64, length));
    }
    let names = place.join("names");
    for name in ["a/b", "a-b", "a.b/c", "a/c/d/e/f", "ação/é", "日本語/☂", "Z", "z", "ab", "a b"] {
        write(&names.join(name), name.repeat(5_000).as_bytes());
    }
    trees.extend([all, names]);
    trees
}

#[test]
fn libtorrent_computes_the_same_info_hash() {
    if !available() {
        return;
    }
    let place = tempdir().expect("a folder");
    for (number, path) in telling_trees(place.path()).iter().enumerate() {
        let (ours, theirs) =
            (place.path().join(format!("{number}.ours")), place.path().join(format!("{number}.theirs")));
        let made = peer(place.path(), &["create", str(path), "-o", str(&ours), "--piece-size", "64KiB"]);
        assert_eq!(made.code, Some(0), "{}: {}", path.display(), made.talk);
        let expected = libtorrent(&["create", str(path), str(&theirs), "65536"]);
        assert_eq!(share_id(&made.events), expected, "{}", path.display());
        assert_eq!(libtorrent(&["hash", str(&ours)]), expected, "{}", path.display());
    }
}

fn share_id(events: &[Value]) -> String {
    let share = events.iter().find(|event| event["event"] == "share").expect("create tells the share");
    share["id"].as_str().expect("an id is text").to_owned()
}

#[test]
fn libtorrent_finds_what_our_peer_downloaded_complete() {
    if !available() {
        return;
    }
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), 1_500_000);
    let (_seed, link) = seed(place.path(), &shared, &["--torrent-file", "tree.torrent"]);
    join(place.path(), "peer", &link, &[]).wait_for("complete");
    let (torrent, folder) = (place.path().join("tree.torrent"), place.path().join("peer"));
    assert_eq!(libtorrent(&["recheck", str(&torrent), str(&folder)]), "100.000");

    let large = folder.join("tree/large");
    let mut bytes = fs::read(&large).expect("it was downloaded");
    bytes[700_000] ^= 1;
    fs::write(&large, bytes).expect("it is ours");
    assert_ne!(libtorrent(&["recheck", str(&torrent), str(&folder)]), "100.000", "it does look at the bytes");
}

#[test]
fn we_verify_and_join_a_share_that_libtorrent_created() {
    if !available() {
        return;
    }
    let place = tempdir().expect("a folder");
    let shared = place.path().join("theirs");
    for (name, length) in [("a/large", 900_000), ("b", 16_385), ("empty", 0)] {
        write(&shared.join(name), &noise(length as u64, length));
    }
    let torrent = place.path().join("theirs.torrent");
    libtorrent(&["create", str(&shared), str(&torrent), "32768"]);
    let verified = peer(place.path(), &["verify", str(&shared), str(&torrent)]);
    assert_eq!(verified.code, Some(0), "{}", verified.talk);

    let joined =
        peer(place.path(), &["join", str(&torrent), "--listen", "127.0.0.1:0", "--leave-when-complete"]);
    assert_eq!(joined.code, Some(0), "what is there is complete: {}", joined.talk);

    write(&shared.join("b"), &noise(7, 16_385));
    assert_eq!(
        peer(place.path(), &["verify", str(&shared), str(&torrent)]).code,
        Some(1),
        "one file is wrong"
    );
}
