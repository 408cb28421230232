//! A process that may have few files and connections open.

use std::net::TcpStream;

use tempfile::tempdir;

use super::content::{assert_same, noise, write};
use super::node::{ANYWHERE, Node, join, number, str, text};

const FILES: usize = 60;
const FILE_BYTES: usize = 20_000;

#[test]
fn a_seed_with_64_descriptors_serves_all_its_files_whoever_else_connects() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("many");
    (0..FILES).for_each(|at| write(&shared.join(at.to_string()), &noise(at as u64, FILE_BYTES)));
    let words = [&["seed", str(&shared), "--limit-up", "400KiB"], &ANYWHERE[..]].concat();
    let seed = Node::cramped_tracker(place.path(), "seed", "-n 64", &words);
    let address = seed.address();
    let link = text(&seed.wait_for("share"), "link");
    let peer = join(place.path(), "peer", &link, &[]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    let _idle: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(&address).expect("the system takes it")).collect();
    peer.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/many"));
}
