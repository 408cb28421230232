//! From one seed to many peers, who come late, leave early or stay behind alone.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::content::{assert_same, file, tree, write};
use super::node::{Node, fetched, join, number, seed};

/// So many peers get the same folder at the same time, and stay until the last has it.
fn spread(peers: usize) {
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let names: Vec<String> = (1..=peers).map(|number| format!("peer-{number}")).collect();
    let swarm: Vec<Node> = names.iter().map(|name| join(place.path(), name, &link, &[])).collect();
    for (name, peer) in names.iter().zip(&swarm) {
        let complete = peer.wait_for("complete");
        assert_eq!(
            fetched(&complete),
            number(&complete, "bytes"),
            "{name}: every byte was needed once: {complete}"
        );
        assert_same(&shared, &place.path().join(name).join("tree"));
    }
}

#[test]
fn one_peer_gets_what_the_seed_has() {
    spread(1);
}

#[test]
fn two_peers_get_what_the_seed_has() {
    spread(2);
}

#[test]
fn eight_peers_get_what_the_seed_has() {
    spread(8);
}

#[test]
fn a_late_joiner_is_served_by_who_came_before() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 2_000_000);
    let (seed, link) = seed(place.path(), &shared, &[]);
    let early = join(place.path(), "early", &link, &[]);
    early.wait_for("complete");
    let late = join(place.path(), "late", &link, &[]);
    late.wait_for("complete");
    assert_same(&shared, &place.path().join("late/film"));
    drop(seed);
}

#[test]
fn a_seed_that_is_slow_is_helped_by_the_peers() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (seed, link) = seed(place.path(), &shared, &["--limit-up", "1MB"]);
    let swarm: Vec<Node> = (1..=4).map(|n| join(place.path(), &format!("peer-{n}"), &link, &[])).collect();
    for peer in &swarm {
        peer.wait_for("complete");
    }
    let sent = number(&last_progress(seed), "sent_bytes");
    assert!(sent < 2 * 3_000_000, "the seed sent {sent} bytes, twice the content or more");
}

fn last_progress(seed: Node) -> serde_json::Value {
    let end = seed.interrupt();
    assert_eq!(end.code, Some(0), "a seed that is stopped has done its work: {}", end.talk);
    end.events.into_iter().rfind(|event| event["event"] == "progress").expect("a seed tells its progress")
}

#[test]
fn a_peer_that_leaves_halfway_does_not_hold_up_the_others() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &["--limit-up", "1MB"]);
    let names = ["one", "two", "three"];
    let [one, two, three] = names.map(|name| join(place.path(), name, &link, &[]));
    two.wait_until("progress", |event| number(event, "done_bytes") > 0);
    drop(two);
    for (name, peer) in [("one", one), ("three", three)] {
        peer.wait_for("complete");
        assert_same(&shared, &place.path().join(name).join("film"));
    }
}

#[test]
fn the_peers_finish_when_the_tracker_is_killed_after_every_piece_was_handed_out_once() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 2_000_000);
    let (seed, link) = seed(place.path(), &shared, &[]);
    let slow = ["slow-1", "slow-2"].map(|name| join(place.path(), name, &link, &["--limit-down", "256KiB"]));
    let quick = join(place.path(), "quick", &link, &[]);
    quick.wait_for("complete");
    drop(seed);
    for (number, peer) in slow.iter().enumerate() {
        peer.wait_for("complete");
        assert_same(&shared, &place.path().join(format!("slow-{}", number + 1)).join("film"));
    }
}

#[test]
fn a_folder_of_five_hundred_files_arrives_whole() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("many");
    for number in 0..500_u32 {
        let name = format!("{:02}/{number}.txt", number % 20);
        write(&shared.join(name), format!("file {number}\n").repeat(number as usize).as_bytes());
    }
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let peers = ["one", "two"].map(|name| join(place.path(), name, &link, &[]));
    for (name, peer) in ["one", "two"].iter().zip(&peers) {
        peer.wait_for("complete");
        assert_same(&shared, &place.path().join(name).join("many"));
    }
}

/// A share of no bytes at all goes from the seed to a peer.
fn arrives_though_it_has_no_bytes(place: &Path, shared: &Path, name: &str) {
    let (_seed, link) = seed(place, shared, &[]);
    let complete = join(place, "peer", &link, &[]).wait_for("complete");
    assert_eq!(number(&complete, "bytes"), 0);
    assert_same(shared, &place.join("peer").join(name));
}

#[test]
fn an_empty_file_arrives() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "empty", 0);
    arrives_though_it_has_no_bytes(place.path(), &shared, "empty");
}

#[test]
fn a_folder_of_empty_files_and_folders_arrives() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("hollow");
    write(&shared.join("a/b/nothing"), b"");
    fs::create_dir_all(shared.join("c/d")).expect("the folder can be made");
    arrives_though_it_has_no_bytes(place.path(), &shared, "hollow");
}

#[test]
fn a_seed_without_peers_waits_and_stops_when_told() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 100_000);
    let (seed, _link) = seed(place.path(), &shared, &[]);
    let progress = seed.wait_for("progress");
    assert_eq!((number(&progress, "peers"), number(&progress, "sent_bytes")), (0, 0));
    assert_eq!(seed.interrupt().code, Some(0));
}
