//! Which files, from whom and where to: `--select`, `--peer`, an open tracker, files that are already there.

use std::fs;

use tempfile::tempdir;

use super::content::{assert_same, file, listing, media, noise, tree, write};
use super::node::{ANYWHERE, Node, fetched, join, number, seed, str, text};

#[test]
fn the_sound_comes_first_and_the_rest_when_joined_again() {
    let place = tempdir().expect("a folder");
    let (_seed, link) = seed(place.path(), &media(), &[]);
    let first = ["--select", "*.mp3", "--leave-when-complete"];
    assert_eq!(join(place.path(), "peer", &link, &first).end().code, Some(0));
    let arrived = place.path().join("peer/media");
    let names: Vec<String> = listing(&arrived).into_keys().filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["sound.mp3"], "only what was selected is there");

    let end = join(place.path(), "peer", &link, &["--leave-when-complete"]).end();
    assert_eq!(end.code, Some(0), "{}", end.talk);
    let complete = end.events.iter().find(|event| event["event"] == "complete").expect("it was complete");
    let sound = fs::metadata(media().join("sound.mp3")).expect("it is there").len();
    assert_eq!(fetched(complete), number(complete, "bytes") - sound, "the sound is not fetched again");
    assert_same(&media(), &arrived);
}

#[test]
fn a_selection_that_matches_nothing_is_said() {
    let place = tempdir().expect("a folder");
    let (_seed, link) = seed(place.path(), &media(), &[]);
    let end = join(place.path(), "peer", &link, &["--select", "*.iso"]).end();
    assert_ne!(end.code, Some(0), "nothing was done");
    assert!(end.talk.contains("*.iso"), "it names what matches nothing: {}", end.talk);
}

#[test]
fn an_explicit_peer_is_enough_without_any_tracker() {
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), 1_000_000);
    let made = Node::peer(place.path(), "create", ["create", str(&shared), "-o", "tree.torrent"]).end();
    assert_eq!(made.code, Some(0), "{}", made.talk);
    let owner = Node::peer(place.path(), "owner", [&["join", "tree.torrent"], &ANYWHERE[..]].concat());
    let address = owner.address();
    owner.wait_for("complete");
    join(place.path(), "peer", "tree.torrent", &["--peer", &address]).wait_for("complete");
    assert_same(&shared, &place.path().join("peer/tree"));
}

#[test]
fn a_peer_shares_its_own_folder_through_an_open_tracker() {
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), 1_000_000);
    let tracker = Node::tracker(place.path(), "tracker", [&["serve", "--open"], &ANYWHERE[..]].concat());
    let address = tracker.address();
    let words = [&["share", str(&shared), "--tracker", &address], &ANYWHERE[..]].concat();
    let owner = Node::peer(place.path(), "owner", words);
    let link = text(&owner.wait_for("share"), "link");
    assert!(link.contains(&address), "the link leads to the tracker: {link}");
    for name in ["one", "two"] {
        join(place.path(), name, &link, &["--leave-when-complete"]).wait_for("complete");
        assert_same(&shared, &place.path().join(name).join("tree"));
    }
}

#[test]
fn a_tracker_that_is_not_open_takes_no_other_share() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 50_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let (_, endpoint) = link.split_once("x.pe=").expect("the link says where to begin");
    let other = format!("magnet:?xt=urn:btmh:1220{}&x.pe={endpoint}", "5a".repeat(32));
    let end = join(place.path(), "peer", &other, &["--timeout", "3s"]).end();
    assert_eq!(end.code, Some(4), "nobody has such a share: {}", end.talk);
}

#[test]
fn another_file_of_the_same_name_is_never_overwritten() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 300_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let mine = place.path().join("peer/film");
    write(&mine, b"my own film");
    let end = join(place.path(), "peer", &link, &[]).end();
    assert_eq!(end.code, Some(6), "{}", end.talk);
    assert_eq!(fs::read(&mine).expect("it is still there"), b"my own film");

    let end = join(place.path(), "peer", &link, &["--force", "--leave-when-complete"]).end();
    assert_eq!(end.code, Some(0), "{}", end.talk);
    assert_same(&shared, &mine);
}

#[test]
fn what_is_already_there_and_right_is_not_fetched_again() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 300_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    write(&place.path().join("peer/film"), &noise(300_000, 300_000));
    let complete = join(place.path(), "peer", &link, &[]).wait_for("complete");
    assert_eq!(fetched(&complete), 0);
}

#[test]
fn a_link_that_leads_nowhere_ends_after_its_timeout() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 50_000);
    let (seed, link) = seed(place.path(), &shared, &[]);
    drop(seed);
    let end = join(place.path(), "peer", &link, &["--timeout", "2s"]).end();
    assert_eq!(end.code, Some(4), "{}", end.talk);
}

#[test]
fn who_loses_the_only_one_that_has_what_is_missing_gives_up_after_its_timeout() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 4_000_000);
    let (seed, link) = seed(place.path(), &shared, &["--limit-up", "256KiB"]);
    let peer = join(place.path(), "peer", &link, &["--timeout", "2s", "--leave-when-complete"]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    drop(seed);
    let end = peer.end();
    assert_eq!(end.code, Some(4), "{}", end.talk);
    assert!(end.talk.contains("nobody has what is missing"), "{}", end.talk);
}

#[test]
fn those_who_have_but_the_link_end_after_their_timeout_though_a_tracker_answers() {
    let place = tempdir().expect("a folder");
    let tracker = Node::tracker(place.path(), "tracker", [&["serve", "--open"], &ANYWHERE[..]].concat());
    let link = format!("magnet:?xt=urn:btmh:1220{}&x.pe={}", "5a".repeat(32), tracker.address());
    let alone = join(place.path(), "alone", &link, &["--timeout", "2s"]).end();
    assert_eq!(alone.code, Some(4), "{}", alone.talk);
    assert!(alone.talk.contains("the tracker answers"), "{}", alone.talk);

    let one = join(place.path(), "one", &link, &["--timeout", "6s"]);
    let two = join(place.path(), "two", &link, &["--timeout", "6s"]);
    for end in [one.end(), two.end()] {
        assert_eq!(end.code, Some(4), "{}", end.talk);
    }
}
