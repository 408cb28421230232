//! Stops and pauses from outside: signals once and twice, a process that stands still, a parent and a terminal that are gone.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use tempfile::tempdir;

use super::caller::wait_for;
use super::content::{assert_same, file};
use super::node::{ANYWHERE, Node, PATIENCE, join, number, seed};

const BYTES: usize = 3_000_000;
/// Slow enough to be stopped on the way.
const SLOW: [&str; 2] = ["--limit-up", "512KiB"];
/// What the shell shows for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// A peer that has a part of `place/film`, and the link.
fn on_the_way(place: &Path) -> (Node, Node, String) {
    let shared = file(place, "film", BYTES);
    let (seed, link) = seed(place, &shared, &SLOW);
    let peer = join(place, "peer", &link, &[]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    (seed, peer, link)
}

fn goes_on(place: &Path, link: &str) {
    join(place, "peer", link, &[]).wait_for("complete");
    assert_same(&place.join("film"), &place.join("peer/film"));
}

#[test]
fn a_second_signal_ends_a_stop_at_once_and_what_was_kept_is_right() {
    for signals in [["INT", "INT"], ["TERM", "TERM"], ["INT", "TERM"]] {
        let place = tempdir().expect("a folder");
        let (_seed, peer, link) = on_the_way(place.path());
        peer.signal(signals[0]);
        wait_for("the stop", || peer.talk().contains("stopping"));
        peer.signal(signals[1]);
        let end = peer.end();
        // The first may have been through with it before the second came.
        assert!(matches!(end.code, Some(INTERRUPTED | 3)), "{signals:?}: {:?} {}", end.code, end.talk);
        goes_on(place.path(), &link);
    }
}

#[test]
fn sigterm_is_an_orderly_stop_too() {
    let place = tempdir().expect("a folder");
    let (seed, peer, link) = on_the_way(place.path());
    peer.signal("TERM");
    let end = peer.end();
    assert_eq!(end.code, Some(3), "there is work left: {}", end.talk);
    goes_on(place.path(), &link);
    seed.signal("TERM");
    assert_eq!(seed.end().code, Some(0));
}

#[test]
fn a_terminal_that_is_gone_is_an_orderly_stop_too_unless_it_is_not_to_matter() {
    let place = tempdir().expect("a folder");
    let (seed, peer, link) = on_the_way(place.path());
    // What is run under nohup hands its deafness on, and then neither of these two may hear it.
    let is_deaf = Command::new("sh").args(["-c", "kill -HUP $$"]).status().expect("a shell").success();
    let signal = if is_deaf { "TERM" } else { "HUP" };
    if is_deaf {
        println!("only half of this is tested: run it without nohup");
    }
    peer.signal(signal);
    let end = peer.end();
    assert_eq!(end.code, Some(3), "there is work left: {}", end.talk);
    let words = ["-c", "trap '' HUP; exec \"$0\" \"$@\"", Node::peer_program(), "join", &link, "-o", "peer"];
    let stays = Node::other(place.path(), "stays", "sh", [&words[..], &ANYWHERE[..]].concat());
    stays.wait_for("progress");
    stays.signal("HUP");
    stays.wait_for("complete");
    seed.signal(signal);
    assert_eq!(seed.end().code, Some(0));
}

#[test]
fn a_program_whose_stdin_is_closed_and_whose_parent_is_gone_goes_on() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &SLOW);
    let script = "\"$0\" \"$@\" <&- & echo $! > pid";
    let words = ["-c", script, Node::peer_program(), "join", &link, "-o", "peer"];
    let orphan = Node::other(place.path(), "orphan", "sh", [&words[..], &ANYWHERE[..]].concat());
    orphan.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
    let pid = std::fs::read_to_string(place.path().join("pid")).expect("the shell wrote it");
    let status = Command::new("sh").args(["-c", &format!("kill -INT {}", pid.trim())]).status();
    assert!(status.is_ok_and(|status| status.success()), "it is still there");
    assert_eq!(orphan.end().code, Some(0), "the shell's own end");
}

#[test]
fn a_peer_that_stood_still_until_the_others_were_done_goes_on() {
    let place = tempdir().expect("a folder");
    let (_seed, peer, link) = on_the_way(place.path());
    peer.signal("STOP");
    join(place.path(), "other", &link, &[]).wait_for("complete");
    peer.signal("CONT");
    peer.wait_for("complete");
    assert_same(&place.path().join("film"), &place.path().join("peer/film"));
}

#[test]
fn a_seed_that_stood_still_until_it_was_given_up_goes_on() {
    let place = tempdir().expect("a folder");
    let (seed, peer, _link) = on_the_way(place.path());
    seed.signal("STOP");
    let stopped = Instant::now();
    peer.wait_until("peer", |event| event["state"] == "gone");
    assert!(stopped.elapsed() < PATIENCE);
    seed.signal("CONT");
    peer.wait_for("complete");
    assert_same(&place.path().join("film"), &place.path().join("peer/film"));
}
