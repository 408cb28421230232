//! Few file descriptors: everything goes on, slower perhaps, however many shares and strangers there are.

use std::net::TcpStream;

use tempfile::tempdir;

use super::content::{assert_same, noise, write};
use super::node::{ANYWHERE, Node, join, number, str, text};

const DESCRIPTORS: &str = "-n 64";
const FILE_BYTES: usize = 20_000;

#[test]
fn a_seed_of_several_shares_with_64_descriptors_serves_them_all_at_once() {
    const SHARES: usize = 6;
    let place = tempdir().expect("a folder");
    let shared: Vec<_> = (0..SHARES).map(|share| place.path().join(format!("many-{share}"))).collect();
    for (share, path) in shared.iter().enumerate() {
        for file in 0..30 {
            write(&path.join(file.to_string()), &noise((share * 100 + file) as u64, FILE_BYTES));
        }
    }
    let paths = shared.iter().map(|path| str(path));
    let words: Vec<&str> = ["seed"].into_iter().chain(paths).chain(ANYWHERE).collect();
    let seed = Node::cramped_tracker(place.path(), "seed", DESCRIPTORS, &words);
    let links: Vec<String> = shared.iter().map(|_| text(&seed.wait_for("share"), "link")).collect();
    let names: Vec<String> = (0..SHARES).map(|share| format!("peer-{share}")).collect();
    let peers: Vec<Node> =
        names.iter().zip(&links).map(|(name, link)| join(place.path(), name, link, &[])).collect();
    for (share, peer) in peers.iter().enumerate() {
        peer.wait_for("complete");
        assert_same(&shared[share], &place.path().join(&names[share]).join(format!("many-{share}")));
    }
    let end = seed.interrupt();
    assert_eq!(end.code, Some(0), "{}", end.talk);
    assert!(!end.talk.contains("warning"), "nothing was in its way: {}", end.talk);
}

#[test]
fn a_peer_with_64_descriptors_gets_all_its_files_whoever_else_connects() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("many");
    (0..100).for_each(|at| write(&shared.join(at.to_string()), &noise(at, FILE_BYTES)));
    let (_seed, link) = super::node::seed(place.path(), &shared, &["--limit-up", "1MB"]);
    let words = [&["join", &link, "-o", "peer"], &ANYWHERE[..]].concat();
    let peer = Node::cramped_peer(place.path(), "peer", DESCRIPTORS, &words);
    let address = peer.address();
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    let _idle: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(&address).expect("the system takes it")).collect();
    peer.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/many"));
}
