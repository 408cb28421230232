//! Stops, returns, two at once, and a seed whose file changes under its hands.

use std::fs;

use tempfile::tempdir;

use super::content::{assert_same, file, noise, write};
use super::node::{fetched, join, number, seed};

/// Slow enough to be stopped on the way: some seconds for [`BYTES`].
const SLOW: [&str; 2] = ["--limit-up", "512KiB"];
const BYTES: usize = 3_000_000;

#[test]
fn a_stopped_peer_says_so_and_goes_on_from_there_when_joined_again() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &SLOW);
    let peer = join(place.path(), "peer", &link, &[]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    let end = peer.interrupt();
    assert_eq!(end.code, Some(3), "there is work left: {}", end.talk);
    assert!(!place.path().join("peer/film").exists(), "a file stands at its place only when it is whole");

    let complete = join(place.path(), "peer", &link, &[]).wait_for("complete");
    assert!(fetched(&complete) < BYTES as u64, "nothing was kept: {complete}");
    assert_same(&shared, &place.path().join("peer/film"));
}

#[test]
fn a_killed_peer_goes_on_too() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &SLOW);
    let peer = join(place.path(), "peer", &link, &[]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    drop(peer);
    join(place.path(), "peer", &link, &[]).wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
}

#[test]
fn a_second_process_on_the_same_download_is_refused_and_the_first_is_named() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &SLOW);
    let first = join(place.path(), "peer", &link, &[]);
    first.wait_until("progress", |event| number(event, "done_bytes") > 0);
    fs::create_dir(place.path().join("second")).expect("the folder can be made");
    let second = join(&place.path().join("second"), "../peer", &link, &[]).end();
    assert_eq!(second.code, Some(1), "{}", second.talk);
    assert!(second.talk.contains(&first.pid().to_string()), "it names the first: {}", second.talk);
    first.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
}

#[test]
fn a_file_that_changes_while_it_is_seeded_is_no_longer_served_and_the_seed_says_so() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (seed, link) = seed(place.path(), &shared, &[]);
    write(&shared, &noise(1, BYTES));
    let peer = join(place.path(), "peer", &link, &[]);
    let said =
        seed.wait_until("warning", |event| event["message"].as_str().is_some_and(|m| m.contains("film")));
    assert!(said["message"].as_str().is_some_and(|line| !line.contains('\n')), "one line: {said}");
    let end = peer.interrupt();
    assert_eq!(end.code, Some(3), "the download is not done: {}", end.talk);
    assert!(!place.path().join("peer/film").exists(), "nothing false stands at its place");
}
