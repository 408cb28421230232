//! Files that are changed or taken away under a running program: told in one line, never served or trusted.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use super::content::{assert_same, file, noise, write};
use super::node::{join, number, seed};

const FILE_BYTES: usize = 300_000;

fn is_warning_of(event: &Value, name: &str) -> bool {
    event["message"].as_str().is_some_and(|text| text.contains(name))
}

/// Does something to the file at `path`; its name says what.
fn disturb(path: &Path) {
    let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name");
    match name {
        "truncated" => OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(1000)),
        "grown" => OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(b"more")),
        "replaced" => {
            write(&path.with_extension("new"), &noise(7, FILE_BYTES));
            fs::rename(path.with_extension("new"), path)
        }
        "rewritten" => fs::write(path, noise(8, FILE_BYTES)),
        "deleted" => fs::remove_file(path),
        "folder" => fs::remove_file(path).and_then(|()| fs::create_dir(path)),
        _ => panic!("nobody knows what to do to {name}"),
    }
    .expect("the file is ours");
}

#[test]
fn whatever_becomes_of_a_file_under_a_seed_it_says_which_in_one_line_and_serves_the_others() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("many");
    let disturbed = ["truncated", "grown", "replaced", "rewritten", "deleted", "folder"];
    for (at, name) in disturbed.iter().chain(&["intact"]).enumerate() {
        write(&shared.join(name), &noise(at as u64 + 1, FILE_BYTES));
    }
    let (seed, link) = seed(place.path(), &shared, &[]);
    disturbed.iter().for_each(|name| disturb(&shared.join(name)));
    let peer = join(place.path(), "peer", &link, &[]);
    let mut unnamed = disturbed.to_vec();
    while !unnamed.is_empty() {
        let said =
            seed.wait_until("warning", |event| disturbed.iter().any(|name| is_warning_of(event, name)));
        assert!(!said["message"].as_str().is_some_and(|text| text.contains('\n')), "one line: {said}");
        unnamed.retain(|name| !is_warning_of(&said, name));
    }
    let one = join(place.path(), "one", &link, &["--select", "intact"]);
    one.wait_for("complete");
    let got = |name: &str| fs::read(place.path().join(name).join("many/intact")).expect("it is there");
    assert!(got("one") == noise(disturbed.len() as u64 + 1, FILE_BYTES), "what is intact is served");
    let end = peer.interrupt();
    assert_eq!(end.code, Some(3), "it has the rest still to get: {}", end.talk);
    for name in disturbed {
        assert!(
            !place.path().join("peer/many").join(name).exists(),
            "{name}: nothing false stands in its place"
        );
    }
    assert_eq!(seed.interrupt().code, Some(0), "the seed lives");
}

#[test]
fn a_finished_file_that_its_owner_changes_is_neither_served_nor_overwritten() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", FILE_BYTES);
    let (first, link) = seed(place.path(), &shared, &[]);
    let peer = join(place.path(), "peer", &link, &[]);
    let addr = peer.address();
    peer.wait_for("complete");
    first.interrupt();
    let own = place.path().join("peer/film");
    write(&own, b"something of one's own");
    let other = join(place.path(), "other", &link, &["--peer", &addr]);
    peer.wait_until("warning", |event| is_warning_of(event, "film"));
    assert_eq!(fs::read(&own).expect("it is there"), b"something of one's own");
    assert!(!place.path().join("other/film").exists());
    assert_eq!(other.interrupt().code, Some(3));
    peer.interrupt();
    assert_eq!(fs::read(&own).expect("it is there"), b"something of one's own");
}

#[test]
fn a_file_being_downloaded_that_is_cut_short_is_fetched_again_and_never_ends_as_a_wrong_one() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &["--limit-up", "512KiB"]);
    let peer = join(place.path(), "peer", &link, &[]);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    assert_eq!(truncate_all_below(&place.path().join("peer/.minibit"), 3_000_000), 1);
    peer.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
}

/// Cuts every file of so many bytes to half of them; how many there were.
fn truncate_all_below(path: &Path, bytes: u64) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(path).expect("a folder can be read").flatten() {
        let found = entry.metadata().expect("it is there");
        if found.is_dir() {
            count += truncate_all_below(&entry.path(), bytes);
        } else if found.len() == bytes {
            let file = OpenOptions::new().write(true).open(entry.path()).expect("it is ours");
            file.set_len(bytes / 2).expect("it is ours");
            count += 1;
        }
    }
    count
}
