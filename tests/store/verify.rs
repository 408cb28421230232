//! What a check of a copy finds.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use minibit::net::content::{Fault, UNWATCHED, Verdict, verify};

use crate::support::*;

const PIECE: u64 = PIECE_BYTES as u64;

fn check(path: &Path, world: &World) -> Verdict {
    verify(path, &share(&world.there).metainfo, UNWATCHED).expect("nobody stops it")
}

/// A copy of `a` (five pieces and a bit), `b/c` and the empty `d`, spoilt by `change`, and what the check of it finds.
fn faults(change: impl Fn(&Path)) -> Vec<Fault> {
    let world = world(&[("a", 5 * PIECE_BYTES as usize + 9), ("b/c", 10), ("d", 0)]);
    fs::create_dir(world.there.join("hollow")).expect("a disk that works");
    let shared = share(&world.there);
    drop(download(&shared, &world.here));
    change(&world.here.join("tree"));
    let verdict = verify(&world.here.join("tree"), &shared.metainfo, UNWATCHED).expect("nobody stops it");
    assert_eq!((verdict.files, verdict.bytes), (3, 5 * PIECE + 19));
    verdict.faults
}

fn fault(path: &str, what: &str, ranges: &[[u64; 2]]) -> Fault {
    Fault { path: path.to_owned(), what: what.to_owned(), ranges: ranges.to_vec() }
}

#[test]
fn a_right_copy_is_all_right_from_itself_and_from_the_folder_above() {
    let world = world(&[("a", 70_000), ("tree/a", 10), ("empty", 0)]);
    assert!(check(&world.there, &world).faults.is_empty());
    assert!(check(world.there.parent().unwrap(), &world).faults.is_empty());
    let file = world.there.join("a");
    let single = share(&file).metainfo;
    for path in [&file, &world.there] {
        assert!(verify(path, &single, UNWATCHED).unwrap().faults.is_empty());
    }
}

#[test]
fn bad_ranges_are_joined_where_they_touch() {
    let spoil = |tree: &Path| {
        let file = OpenOptions::new().write(true).open(tree.join("a")).unwrap();
        [0, 2 * PIECE - 1, 2 * PIECE, 5 * PIECE + 8]
            .iter()
            .for_each(|at| file.write_all_at(&[0; 1], *at).unwrap());
        file.write_all_at(b"xyz", 17).unwrap();
        file.write_all_at(b"xyz", PIECE + 17).unwrap();
        file.write_all_at(b"xyz", 2 * PIECE + 17).unwrap();
        file.write_all_at(b"xyz", 5 * PIECE).unwrap();
    };
    assert_eq!(faults(spoil), [fault("a", "", &[[0, 3 * PIECE], [5 * PIECE, 5 * PIECE + 9]])]);
}

#[test]
fn a_missing_file_and_a_missing_folder_are_named() {
    let spoil = |tree: &Path| {
        fs::remove_dir_all(tree.join("b")).unwrap();
        fs::remove_dir(tree.join("hollow")).unwrap();
        fs::remove_file(tree.join("d")).unwrap();
    };
    let missing = |path| fault(path, "missing", &[]);
    assert_eq!(faults(spoil), [missing("b/c"), missing("d"), missing("hollow")]);
}

#[test]
fn a_wrong_length_is_told_with_the_ranges_it_spoils() {
    let cut = |tree: &Path| {
        OpenOptions::new().write(true).open(tree.join("a")).unwrap().set_len(4 * PIECE).unwrap();
        put(&tree.join("d"), b"not empty");
    };
    let a = format!("{} bytes, should be {}", 4 * PIECE, 5 * PIECE + 9);
    let ranges = [[4 * PIECE, 5 * PIECE + 9]];
    assert_eq!(faults(cut), [fault("a", &a, &ranges), fault("d", "9 bytes, should be 0", &[])]);
}

#[test]
fn a_folder_where_a_file_should_be_is_told() {
    let spoil = |tree: &Path| {
        fs::remove_file(tree.join("a")).unwrap();
        fs::create_dir(tree.join("a")).unwrap();
    };
    assert_eq!(faults(spoil), [fault("a", "unreadable: not a file", &[])]);
}

#[test]
fn what_the_share_does_not_have_is_no_fault() {
    assert!(faults(|tree| put(&tree.join("more/of/it"), b"x")).is_empty());
}

#[test]
fn nothing_at_all_is_missing_file_by_file() {
    let world = world(&[("a", 10), ("b", 10)]);
    assert_eq!(check(&world.here, &world).faults.len(), 2);
}
