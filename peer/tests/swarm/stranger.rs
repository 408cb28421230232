//! The stranger: a short program that follows the wire's description with nothing of ours, on either side.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;

use tempfile::tempdir;

use super::content::{assert_same, tree};
use super::node::{Node, PATIENCE, join, seed, str};
use super::outside::{self, Foreign};
use super::{binaries, node};

const PYTHON: &str = "python3";

fn script() -> PathBuf {
    binaries::project().join("tests/stranger/stranger.py")
}

/// Without a python there is no stranger; the test says so and passes.
fn invited() -> bool {
    let there = outside::can(PYTHON, "import hashlib");
    if !there {
        eprintln!("skipped: there is no {PYTHON}");
    }
    there
}

#[test]
fn the_stranger_downloads_a_folder_from_our_seed() {
    if !invited() {
        return;
    }
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), 1_000_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let out = place.path().join("stranger");
    outside::answer(PYTHON, &script(), &["download", "--link", &link, "--out", str(&out)]);
    assert_same(&shared, &out.join("tree"));
}

#[test]
fn the_stranger_seeds_a_folder_to_our_peer() {
    if !invited() {
        return;
    }
    let place = tempdir().expect("a folder");
    let shared = tree(place.path(), 1_000_000);
    let words = ["create", node::str(&shared), "-o", "tree.torrent"];
    assert_eq!(Node::peer(place.path(), "create", words).end().code, Some(0));
    let torrent = place.path().join("tree.torrent");
    let (_stranger, address) = stranger_seeds(str(&shared), str(&torrent));
    join(place.path(), "peer", str(&torrent), &["--peer", &address]).wait_for("complete");
    assert_same(&shared, &place.path().join("peer/tree"));
}

/// The stranger as a seed, and where it listens.
fn stranger_seeds(path: &str, torrent: &str) -> (Foreign, String) {
    let mut command = Command::new(PYTHON);
    command.arg(script()).args(["seed", "--path", path, "--torrent", torrent, "--listen", "127.0.0.1:0"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("python can be started");
    let mut stranger = Foreign(child);
    let stdout = stranger.0.stdout.take().expect("it was piped above");
    let (sender, first_line) = sync_channel(1);
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let _ = lines.next().map(|line| sender.send(line));
        // Reading on keeps the stranger from choking on its own talk.
        lines.for_each(drop);
    });
    let line = first_line.recv_timeout(PATIENCE).expect("the stranger says where it listens");
    let address = line.strip_prefix("listening ").unwrap_or_else(|| panic!("not an address: {line}"));
    (stranger, address.trim().to_owned())
}
