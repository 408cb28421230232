//! Copies that are wrong here and there, and mended: what is right of them is kept, and what is right as a whole not touched.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use minibit::content::{Block, PieceSet};
use minibit::net::content::{Differing, Plan, Scanned, Store, StoreError, UNWATCHED, download_folder};

use crate::support::*;

const PIECE: u64 = PIECE_BYTES as u64;

fn mending(dir: &Path) -> Plan {
    Plan { differing: Differing::Mended, ..plan(dir) }
}

/// A copy of `a` (five pieces and a bit), `b/c` (two pieces), `d` (small) and the empty `e`, spoilt by `change`.
fn spoilt(change: impl Fn(&Path)) -> (World, Scanned) {
    let world = world(&[("a", 5 * PIECE_BYTES as usize + 9), ("b/c", 65_536), ("d", 10), ("e", 0)]);
    fs::create_dir(world.there.join("hollow")).expect("a folder");
    let shared = share(&world.there);
    drop(download(&shared, &world.here));
    change(&world.here.join("tree"));
    (world, shared)
}

fn stretch(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    file.set_len(bytes).expect("writable");
}

fn missing(store: &Store, held: &PieceSet) -> Vec<u32> {
    store.wanted().minus(held).map(|piece| piece.get()).collect()
}

fn finish(world: &World, shared: &Scanned, store: Store, held: &PieceSet) {
    fill(&shared.store, &store, held);
    store.flush().expect("writable");
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
    assert!(!world.here.join(".minibit").exists());
}

#[test]
fn only_the_wrong_piece_is_missing_and_only_its_wrong_leaf_is_in_doubt() {
    let (world, shared) = spoilt(|tree| spoil(&tree.join("a"), 2 * PIECE + 20_000));
    let [a, c] = ["a", "b/c"].map(|path| fs::metadata(world.here.join("tree").join(path)).unwrap());
    let (store, held) = open(&mending(&world.here), &shared);
    assert_eq!(missing(&store, &held), [2]);
    assert!(world.here.join("tree/a").exists(), "it stands there until something comes for it");
    let doubtful = store.doubtful(UNWATCHED).unwrap();
    let (piece, leaves) = doubtful.iter().next().unwrap();
    let truth =
        &content("a", 5 * PIECE_BYTES as usize + 9)[2 * PIECE_BYTES as usize..][..PIECE_BYTES as usize];
    let truth: Vec<_> = truth.chunks(16 * 1024).map(minibit::content::merkle::leaf).collect();
    assert_eq!((doubtful.len(), piece.get()), (1, 2));
    assert!(leaves.len() == 2 && leaves[0] == truth[0] && leaves[1] != truth[1]);
    let first = Block { piece: *piece, start: 0, length: 16 * 1024 };
    store
        .write(first, &content("a", 5 * PIECE_BYTES as usize + 9)[2 * PIECE_BYTES as usize..][..16 * 1024])
        .unwrap();
    assert!(!world.here.join("tree/a").exists(), "nothing that is half mended stands in its place");
    finish(&world, &shared, store, &held);
    let now = |path| fs::metadata(world.here.join("tree").join(path)).unwrap();
    assert_eq!(now("a").ino(), a.ino(), "it is the same file, mended");
    assert_eq!((now("b/c").ino(), now("b/c").mtime_nsec()), (c.ino(), c.mtime_nsec()));
}

#[test]
fn as_long_as_nothing_comes_nothing_is_moved_and_nothing_left_behind() {
    let (world, shared) = spoilt(|tree| {
        stretch(&tree.join("a"), 2 * PIECE + 5);
        spoil(&tree.join("b/c"), 5);
        fs::remove_file(tree.join("d")).unwrap();
    });
    let before = listing(&world.here);
    let (store, held) = open(&mending(&world.here), &shared);
    for block in held.iter().flat_map(|piece| blocks(&store, piece)) {
        let [mut here, mut there] = [vec![0; block.length as usize], vec![1; block.length as usize]];
        store.read(block, &mut here).expect("what is right is served from where it stands");
        shared.store.read(block, &mut there).unwrap();
        assert_eq!(here, there);
    }
    store.close().unwrap();
    drop(store);
    assert_eq!(listing(&world.here), before);
    assert!(!world.here.join(".minibit").exists());
}

#[test]
fn what_a_probe_left_when_its_process_died_keeps_no_room() {
    let (world, shared) = spoilt(|tree| spoil(&tree.join("a"), 5));
    put(&room(&world.here, &shared).join("partial/probe"), b"");
    drop(open(&mending(&world.here), &shared));
    assert!(!world.here.join(".minibit").exists());
}

#[test]
fn a_file_that_was_touched_since_it_was_looked_at_is_not_moved() {
    let (world, shared) = spoilt(|tree| spoil(&tree.join("a"), 5));
    let (store, _) = open(&mending(&world.here), &shared);
    let other = content("other", 5 * PIECE_BYTES as usize + 9);
    put(&world.here.join("tree/a"), &other);
    let first = Block { piece: store.wanted().iter().next().unwrap(), start: 0, length: 16 * 1024 };
    assert!(matches!(store.write(first, &[0; 16 * 1024]), Err(StoreError::Refused(_))));
    assert_eq!(fs::read(world.here.join("tree/a")).unwrap(), other);
}

#[test]
fn files_that_are_missing_too_short_too_long_or_not_empty_become_right() {
    let (world, shared) = spoilt(|tree| {
        stretch(&tree.join("a"), 2 * PIECE + 5);
        stretch(&tree.join("b/c"), 100_000);
        fs::remove_file(tree.join("d")).unwrap();
        put(&tree.join("e"), b"not empty");
        fs::remove_dir(tree.join("hollow")).unwrap();
    });
    let (store, held) = open(&mending(&world.here), &shared);
    assert_eq!(missing(&store, &held), [2, 3, 4, 5, 8], "of the cut file what is left, of the long one all");
    finish(&world, &shared, store, &held);
}

#[test]
fn what_needs_no_bytes_from_others_is_mended_at_once() {
    let (world, shared) = spoilt(|tree| {
        stretch(&tree.join("b/c"), 100_000);
        put(&tree.join("e"), b"not empty");
        fs::remove_dir(tree.join("hollow")).unwrap();
    });
    let (store, held) = open(&mending(&world.here), &shared);
    finish(&world, &shared, store, &held);
}

#[test]
fn stopped_half_way_it_goes_on_from_there_however_it_ended() {
    for is_in_order in [true, false] {
        let (world, shared) = spoilt(|tree| {
            [0, 2, 4].iter().for_each(|piece| spoil(&tree.join("a"), piece * PIECE));
            spoil(&tree.join("b/c"), 40_000);
        });
        let (store, held) = open(&mending(&world.here), &shared);
        assert_eq!(missing(&store, &held), [0, 2, 4, 7]);
        let first = store.wanted().iter().next().unwrap();
        copy_piece(&shared.store, &store, first);
        if is_in_order {
            store.close().unwrap();
        }
        drop(store);
        let (store, held) = open(&mending(&world.here), &shared);
        assert_eq!(missing(&store, &held), [2, 4, 7]);
        let doubtful = store.doubtful(UNWATCHED).unwrap();
        assert_eq!(doubtful.keys().map(|piece| piece.get()).collect::<Vec<_>>(), [2, 4, 7]);
        drop(store);
        let stands = try_open(&plan(&world.here), &shared);
        assert!(matches!(stands, Err(StoreError::WouldOverwrite { path }) if path.ends_with("b/c")));
        let (store, _) = open(&mending(&world.here), &shared);
        copy_piece(&shared.store, &store, store.wanted().iter().nth(7).unwrap());
        drop(store);
        let (store, held) = open(&plan(&world.here), &shared);
        assert_eq!(
            missing(&store, &held),
            [2, 4],
            "with all of it taken up, a plain download goes on from there too"
        );
        finish(&world, &shared, store, &held);
    }
}

#[test]
fn a_file_with_another_name_elsewhere_is_not_written_and_stands_until_the_new_one_is_whole() {
    let (world, shared) = spoilt(|tree| spoil(&tree.join("a"), 5));
    let (wrong, other) = (world.here.join("tree/a"), world.here.join("other name"));
    fs::hard_link(&wrong, &other).unwrap();
    let before = fs::read(&other).unwrap();
    let (store, held) = open(&mending(&world.here), &shared);
    assert_eq!(missing(&store, &held), [0, 1, 2, 3, 4, 5]);
    assert_eq!(fs::read(&wrong).unwrap(), before);
    finish(&world, &shared, store, &held);
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[test]
fn what_an_earlier_download_has_more_of_is_gone_on_with() {
    let world = world(&[("a", 4 * PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    pieces[..2].iter().for_each(|piece| copy_piece(&shared.store, &store, *piece));
    drop(store);
    put(&world.here.join("tree/a"), &content("other", 4 * PIECE_BYTES as usize));
    let (store, held) = open(&mending(&world.here), &shared);
    assert_eq!(missing(&store, &held), [2, 3]);
    assert!(world.here.join("tree/a").exists(), "until the new one is whole");
    finish(&world, &shared, store, &held);
}

#[test]
fn what_the_journal_vouches_for_is_verified_all_the_same() {
    let world = world(&[("a", 1_100_000), ("b", PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    pieces[..pieces.len() - 1].iter().for_each(|piece| copy_piece(&shared.store, &store, *piece));
    store.close().unwrap();
    drop(store);
    spoil(&world.here.join("tree/a"), 3 * PIECE);
    crate::retouch::retouch_journal(&shared, &world.here);
    let (store, held) = open(&plan(&world.here), &shared);
    assert_eq!(missing(&store, &held).len(), 1, "who does not look cannot know");
    store.close().unwrap();
    drop(store);
    let (store, held) = open(&mending(&world.here), &shared);
    assert_eq!(missing(&store, &held), [3, 34]);
    finish(&world, &shared, store, &held);
}

#[test]
fn what_is_in_the_way_or_in_use_is_named_and_nothing_is_changed() {
    let (world, shared) = spoilt(|tree| {
        spoil(&tree.join("a"), 5);
        fs::remove_file(tree.join("d")).unwrap();
        std::os::unix::fs::symlink("a", tree.join("d")).unwrap();
    });
    let before = listing(&world.here);
    assert!(matches!(try_open(&mending(&world.here), &shared), Err(StoreError::Refused(_))));
    assert_eq!(listing(&world.here), before);

    let (world, shared) = spoilt(|tree| spoil(&tree.join("a"), 5));
    let (first, held) = open(&mending(&world.here), &shared);
    assert!(matches!(try_open(&mending(&world.here), &shared), Err(StoreError::Locked { .. })));
    finish(&world, &shared, first, &held);
}

#[test]
fn a_copy_is_mended_in_its_place_only_under_the_name_of_the_share() {
    let (world, shared) = spoilt(|_| {});
    let here = fs::canonicalize(&world.here).unwrap();
    let folder = |path: &Path| download_folder(path, &shared.metainfo);
    assert_eq!(folder(&here.join("tree")), Some(here.clone()));
    assert_eq!(folder(&here), Some(here.clone()));
    std::os::unix::fs::symlink(here.join("tree"), here.join("link")).unwrap();
    assert_eq!(folder(&here.join("link")), Some(here.clone()), "a link is followed first");
    fs::rename(here.join("tree"), here.join("copy")).unwrap();
    assert_eq!(folder(&here.join("copy")), None);
    let single = share(&world.there.join("a")).metainfo;
    assert_eq!(download_folder(&here.join("a"), &single), Some(here.clone()), "though it be missing");
    assert_eq!(download_folder(&here, &single), Some(here));
}
