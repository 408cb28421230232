//! `verify --repair`: a copy that is wrong here and there is made right by what is wrong alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use super::content::{assert_same, file, listing, noise, tree, write};
use super::node::{End, Node, fetched, join, number, seed, str};

const LARGE_PIECES: [&str; 2] = ["--piece-size", "1MiB"];
const LEAF: u64 = 16_384;
const BYTES: usize = 3_000_000;

/// Begins to mend what stands at `path`, seen from `place`.
fn repair(place: &Path, path: &str, share: &str, options: &[&str]) -> Node {
    Node::peer(place, "repair", [&["verify", "--repair", path, share], options].concat())
}

fn ended(place: &Path, path: &str, share: &str, options: &[&str]) -> End {
    repair(place, path, share, options).end()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("it is ours");
}

/// `place/peer/film`: a copy with one wrong byte, of what the seed behind the link has.
fn scratched(place: &Path) -> (PathBuf, Node, String, PathBuf) {
    let shared = file(place, "film", BYTES);
    let (seed, link) = seed(place, &shared, &LARGE_PIECES);
    let copy = place.join("peer/film");
    write(&copy, &fs::read(&shared).expect("a file"));
    flip(&copy, 1_500_000);
    (shared, seed, link, copy)
}

fn complete(end: &End) -> &serde_json::Value {
    assert_eq!(end.code, Some(0), "{}", end.talk);
    end.events.iter().find(|event| event["event"] == "complete").expect("it was complete")
}

#[test]
fn one_wrong_byte_costs_one_leaf() {
    let place = tempdir().expect("a folder");
    let (shared, _seed, link, copy) = scratched(place.path());
    let end = ended(place.path(), "peer/film", &link, &[]);
    let complete = complete(&end);
    assert_eq!((fetched(complete), number(complete, "wasted_bytes")), (LEAF, 0));
    assert!(end.events.iter().any(|event| event["event"] == "fault"), "first it tells what is wrong");
    assert_same(&shared, &copy);
    assert!(!place.path().join("peer/.minibit").exists(), "nothing is left behind");

    let end = ended(place.path(), "peer", &link, &[]);
    assert_eq!(end.code, Some(0), "{}", end.talk);
    let kinds: Vec<_> = end.events.iter().map(|event| event["event"].as_str()).collect();
    assert_eq!(kinds, [Some("verified")], "what is right is left alone");
}

#[test]
fn a_tree_with_files_wrong_missing_short_and_long_becomes_right_with_what_is_wrong_alone() {
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), BYTES);
    let (_seed, link) = seed(place.path(), &shared, &LARGE_PIECES);
    assert_eq!(join(place.path(), "peer", &link, &["--leave-when-complete"]).end().code, Some(0));
    let copy = place.path().join("peer/tree");
    flip(&copy.join("large"), 2_000_000);
    flip(&copy.join("large"), 2_000_000 + 16_384);
    fs::remove_file(copy.join("a/one")).expect("it is ours");
    let text = copy.join("ação/日本語 ☂.txt");
    let cut = fs::read(&text).expect("a file")[..20_000].to_vec();
    fs::write(&text, cut).expect("it is ours");
    fs::write(copy.join("a/empty"), b"not empty").expect("it is ours");
    fs::remove_dir(copy.join("empty folder")).expect("it is ours");
    let end = ended(place.path(), "peer/tree", &link, &[]);
    assert_eq!(fetched(complete(&end)), 2 * LEAF + 1 + (70_000 - LEAF));
    assert_same(&shared, &copy);
}

#[test]
fn without_anybody_who_has_it_nothing_is_changed() {
    let place = tempdir().expect("a folder");
    let (shared, seed, link, _) = scratched(place.path());
    let described = Node::peer(place.path(), "create", ["create", str(&shared), "-o", "film.torrent"]).end();
    assert_eq!(described.code, Some(0), "{}", described.talk);
    drop(seed);
    let gone = link.split_once("x.pe=").expect("the link says where to begin").1.to_owned();
    let before = listing(&place.path().join("peer"));
    for options in [&["--timeout", "1s", "--peer", &gone][..], &[]] {
        let end = ended(place.path(), "peer/film", "film.torrent", options);
        assert_eq!(end.code, Some(4), "{}", end.talk);
        assert!(end.talk.contains("--peer"), "it says what to do: {}", end.talk);
        assert_eq!(listing(&place.path().join("peer")), before);
    }
}

#[test]
fn stopped_half_way_the_same_command_goes_on_from_there() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &["--piece-size", "64KiB", "--limit-up", "512KiB"]);
    let copy = place.path().join("peer/film");
    let half = BYTES / 2;
    let bytes = [noise(BYTES as u64, BYTES)[..half].to_vec(), noise(7, BYTES - half)].concat();
    write(&copy, &bytes);
    let began = repair(place.path(), "peer/film", &link, &[]);
    began.wait_until("progress", |event| number(event, "done_bytes") > half as u64 + 200_000);
    let end = began.interrupt();
    assert_eq!(end.code, Some(3), "there is work left: {}", end.talk);
    assert!(!copy.exists(), "a file stands at its place only when it is whole");
    let end = ended(place.path(), "peer/film", &link, &[]);
    assert!(fetched(complete(&end)) < (BYTES - half) as u64 - 100_000, "nothing was kept: {}", end.talk);
    assert_same(&shared, &copy);
}

#[test]
fn stopped_half_way_it_goes_on_by_the_folder_that_holds_the_copy_too() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("tree");
    [("a", 1), ("b", 2)].iter().for_each(|(name, seed)| write(&shared.join(name), &noise(*seed, BYTES)));
    let (_seed, link) = seed(place.path(), &shared, &["--piece-size", "64KiB", "--limit-up", "512KiB"]);
    ["a", "b"].iter().for_each(|name| write(&place.path().join("peer/tree").join(name), &noise(7, BYTES)));
    let began = repair(place.path(), "peer", &link, &[]);
    let copy = place.path().join("peer/tree");
    began.wait_until("progress", |event| {
        number(event, "done_bytes") > 200_000 && !copy.join("a").exists() && !copy.join("b").exists()
    });
    let end = began.interrupt();
    assert_eq!(end.code, Some(3), "there is work left: {}", end.talk);
    assert!(end.talk.contains("peer/.minibit"), "it says where it lies: {}", end.talk);
    let again = repair(place.path(), "peer", &link, &[]);
    let checked = again.wait_for("verified");
    assert_eq!(number(&checked, "bad_files"), 2);
    again.wait_until("progress", |event| number(event, "done_bytes") > 200_000);
}

#[test]
fn what_somebody_seeds_is_not_mended_under_its_hands() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let seeding = join(place.path(), "peer", &link, &[]);
    seeding.wait_for("complete");
    flip(&place.path().join("peer/film"), 5);
    let before = fs::read(place.path().join("peer/film")).expect("a file");
    let end = ended(place.path(), "peer/film", &link, &[]);
    assert_eq!(end.code, Some(1), "{}", end.talk);
    assert!(end.talk.contains(&seeding.pid().to_string()), "it names who has it: {}", end.talk);
    assert_eq!(fs::read(place.path().join("peer/film")).expect("a file"), before);
}

#[test]
fn a_copy_under_another_name_is_left_alone_and_it_is_said_what_to_do() {
    let place = tempdir().expect("a folder");
    let (_, _seed, link, copy) = scratched(place.path());
    let renamed = copy.with_file_name("my film");
    fs::rename(&copy, &renamed).expect("it is ours");
    let end = ended(place.path(), "peer/my film", &link, &[]);
    assert_eq!(end.code, Some(1), "{}", end.talk);
    assert!(end.talk.contains("rename it to 'film'"), "{}", end.talk);
    assert!(renamed.exists());
}

#[test]
fn a_folder_that_may_not_be_written_is_named_and_nothing_is_lost() {
    let place = tempdir().expect("a folder");
    let (_, _seed, link, copy) = scratched(place.path());
    let folder = copy.parent().expect("a folder");
    let allow = |mode| fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("it is ours");
    allow(0o555);
    let before = fs::read(&copy).expect("a file");
    let end = Node::powerless_peer(place.path(), "repair", &["verify", "--repair", str(&copy), &link]).end();
    assert_eq!(end.code, Some(1), "{}", end.talk);
    assert!(end.talk.contains(str(folder)) && end.talk.contains("ermission denied"), "{}", end.talk);
    assert_eq!(fs::read(&copy).expect("a file"), before);
    allow(0o755);
}

/// Ends with 4 and says why, and nothing was changed.
fn assert_left_alone(place: &Path, peer: &str) {
    let before = listing(&place.join("peer"));
    let end = ended(place, "peer/film", "film.torrent", &["--timeout", "2s", "--peer", peer]);
    assert_eq!(end.code, Some(4), "{}", end.talk);
    assert!(end.talk.contains("nobody has what is wrong"), "{}", end.talk);
    assert_eq!(listing(&place.join("peer")), before);
}

#[test]
fn as_long_as_nobody_has_what_is_wrong_nothing_is_moved() {
    let place = tempdir().expect("a folder");
    let (shared, seed, _, _) = scratched(place.path());
    drop(seed);
    let words = ["create", str(&shared), "-o", "film.torrent"];
    let described = Node::peer(place.path(), "create", [&words[..], &LARGE_PIECES].concat()).end();
    assert_eq!(described.code, Some(0), "{}", described.talk);

    let empty = join(place.path(), "empty", "film.torrent", &[]);
    assert_left_alone(place.path(), &empty.address());

    let words = [&["serve", "film.torrent"], &super::node::ANYWHERE[..]].concat();
    let tracker = Node::tracker(place.path(), "tracker", words);
    assert_left_alone(place.path(), &tracker.address());
}

#[test]
fn who_seeds_the_wrong_copy_itself_has_not_what_is_wrong() {
    let place = tempdir().expect("a folder");
    let copy = place.path().join("peer/film");
    write(&copy, &noise(BYTES as u64, BYTES));
    let words = ["create", "peer/film", "-o", "film.torrent"];
    let described = Node::peer(place.path(), "create", [&words[..], &LARGE_PIECES].concat()).end();
    assert_eq!(described.code, Some(0), "{}", described.talk);
    let words = [&["seed", str(&copy)], &super::node::ANYWHERE[..], &LARGE_PIECES].concat();
    let seeding = Node::tracker(place.path(), "seed", words);
    let address = seeding.address();
    seeding.wait_for("share");
    flip(&copy, 1_500_000);
    assert_left_alone(place.path(), &address);
}
