//! How a download goes on: only what the bytes themselves prove is believed.

use std::fs::{self, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicU64, Ordering};

use minibit::content::PieceSet;
use minibit::ids::PeerId;
use minibit::net::content::{Plan, Store, StoreError, known_metainfo};
use minibit::seam::Ban;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::*;

/// A download of `a` (four pieces) and `b` stopped when three pieces of `a` were kept.
fn stopped() -> (World, minibit::net::content::Scanned) {
    let world = world(&[("a", 4 * PIECE_BYTES as usize), ("b", 10)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    store.wanted().iter().take(3).for_each(|piece| copy_piece(&shared.store, &store, piece));
    drop(store);
    (world, shared)
}

fn finish(world: &World, shared: &minibit::net::content::Scanned) -> PieceSet {
    let (store, held) = open(&plan(&world.here), shared);
    fill(&shared.store, &store, &held);
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
    assert!(!world.here.join(".minibit").exists());
    held
}

#[test]
fn what_was_written_is_verified_and_held() {
    let (world, shared) = stopped();
    assert_eq!(finish(&world, &shared).runs(), [[0, 2]]);
}

/// Whoever opens a named pipe waits for who writes into it, and a long file fills the memory.
#[test]
fn whatever_stands_where_the_description_was_is_replaced() {
    let (world, shared) = stopped();
    let noted = room(&world.here, &shared).join("metainfo");
    fs::remove_file(&noted).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&noted).status();
    assert!(made.expect("mkfifo is there").success());
    drop(open(&plan(&world.here), &shared));
    assert_eq!(fs::read(&noted).unwrap(), shared.metainfo.served_bytes());
    OpenOptions::new().write(true).open(&noted).unwrap().set_len(1 << 40).unwrap();
    drop(open(&plan(&world.here), &shared));
    assert_eq!(fs::read(&noted).unwrap(), shared.metainfo.served_bytes());
}

#[test]
fn what_was_never_written_is_not_read() {
    let world = world(&[("a", 64 * PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    [0, 1, 40, 63].iter().for_each(|at| copy_piece(&shared.store, &store, pieces[*at]));
    drop(store);
    let read = AtomicU64::new(0);
    let note = |done, _| {
        read.fetch_max(done, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let (_store, held) = Store::open(&plan(&world.here), shared.metainfo.clone(), &note).unwrap();
    assert_eq!(held.runs(), [[0, 1], [40, 40], [63, 63]]);
    let blocks = fs::metadata(partial(&world.here, &shared, 0)).unwrap().blocks();
    let is_sparse = blocks * 512 < 32 * u64::from(PIECE_BYTES);
    assert!(!is_sparse || read.into_inner() == 4 * u64::from(PIECE_BYTES));
}

#[test]
fn garbage_in_the_making_is_fetched_again() {
    let (world, shared) = stopped();
    let file = OpenOptions::new().write(true).open(partial(&world.here, &shared, 0)).unwrap();
    file.write_all_at(b"garbage", u64::from(PIECE_BYTES) + 7).unwrap();
    assert_eq!(finish(&world, &shared).runs(), [[0, 0], [2, 2]]);
}

#[test]
fn a_file_in_the_making_that_is_too_short_or_too_long_is_mended() {
    for (bytes, held) in [(0, 0), (u64::from(PIECE_BYTES) + 1, 1), (1 << 20, 3)] {
        let (world, shared) = stopped();
        let file = OpenOptions::new().write(true).open(partial(&world.here, &shared, 0)).unwrap();
        file.set_len(bytes).unwrap();
        assert_eq!(finish(&world, &shared).count(), held);
    }
}

#[test]
fn what_was_whole_and_not_yet_moved_is_moved_at_once() {
    let world = world(&[("b", 10)]);
    let shared = share(&world.there);
    put(&partial(&world.here, &shared, 0), &content("b", 10));
    assert!(finish(&world, &shared).is_full());
}

#[test]
fn what_is_in_place_already_leaves_nothing_in_the_making() {
    let (world, shared) = stopped();
    put(&world.here.join("tree/a"), &content("a", 4 * PIECE_BYTES as usize));
    assert_eq!(finish(&world, &shared).count(), 4);
}

#[test]
fn files_begun_and_not_chosen_any_more_are_kept_and_served() {
    let (world, shared) = stopped();
    let only_b = Plan { select: vec!["b".to_owned()], ..plan(&world.here) };
    let (store, held) = open(&only_b, &shared);
    assert_eq!(held.runs(), [[0, 2]]);
    fill(&shared.store, &store, &held);
    assert!(store.is_finished());
    let first = store.metainfo().geometry().pieces().next().unwrap();
    let mut bytes = vec![0; 16 * 1024];
    store.read(blocks(&store, first)[0], &mut bytes).unwrap();
    assert_eq!(bytes, content("a", 16 * 1024));
    drop(store);
    assert_eq!(finish(&world, &shared).count(), 4);
}

#[test]
fn the_description_is_known_to_a_later_run_if_it_is_true() {
    let (world, shared) = stopped();
    let id = shared.metainfo.share();
    assert_eq!(known_metainfo(&world.here, id).unwrap().share(), id);
    assert!(known_metainfo(&world.there, id).is_none());
    for wrong in [&b""[..], b"garbage", b"de"] {
        fs::write(room(&world.here, &shared).join("metainfo"), wrong).unwrap();
        assert!(known_metainfo(&world.here, id).is_none());
    }
    finish(&world, &shared);
}

#[test]
fn a_lock_left_by_a_dead_process_is_no_lock() {
    let (world, shared) = stopped();
    fs::write(room(&world.here, &shared).join("lock"), "\u{1b}[2J99999999999999999999999999").unwrap();
    finish(&world, &shared);
}

#[derive(Clone, Debug)]
enum Step {
    Copy(usize),
    WriteGarbage(usize),
    Flush,
    StartAgain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_usize).prop_map(Step::Copy),
        3 => (0..12_usize).prop_map(Step::WriteGarbage),
        1 => Just(Step::Flush),
        1 => Just(Step::StartAgain),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_written_and_however_often_it_stopped_the_end_is_the_same(steps in vec(step(), 0..30)) {
        let world = world(&[("a", 5 * PIECE_BYTES as usize + 1), ("b/c", 10), ("b/d", 70_000), ("e", 0), ("f", 1), ("g", 2)]);
        let shared = share(&world.there);
        let (mut store, mut held) = open(&plan(&world.here), &shared);
        let pieces: Vec<_> = shared.metainfo.geometry().pieces().collect();
        prop_assert_eq!(pieces.len(), 12);
        for step in steps {
            match step {
                Step::Copy(at) => {
                    copy_piece(&shared.store, &store, pieces[at]);
                    held.insert(pieces[at]);
                }
                Step::WriteGarbage(at) => {
                    let block = blocks(&store, pieces[at])[0];
                    store.write(block, &vec![0xAA; block.length as usize]).unwrap();
                }
                Step::Flush => store.flush().unwrap(),
                Step::StartAgain => {
                    drop(store);
                    let again = open(&plan(&world.here), &shared);
                    prop_assert_eq!(&again.1, &held);
                    (store, held) = again;
                }
            }
        }
        drop(store);
        finish(&world, &shared);
    }
}

#[test]
fn a_check_that_is_stopped_changes_nothing_and_gives_its_lock_up() {
    let world = world(&[("a", 3_000_000), ("b", 3_000_000)]);
    let shared = share(&world.there);
    let (store, held) = open(&plan(&world.here), &shared);
    fill(&shared.store, &store, &held);
    drop(store);
    let before = listing(&world.here);
    let enough = |done, _| if done > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let stopped = Store::open(&plan(&world.here), shared.metainfo.clone(), &enough);
    assert!(matches!(stopped, Err(StoreError::Stopped(_))));
    assert_eq!(listing(&world.here), before);
    let (_store, held) = open(&plan(&world.here), &shared);
    assert_eq!(held.count(), shared.metainfo.geometry().piece_count());
}

#[test]
fn bans_are_kept_with_the_download_and_gone_with_it() {
    let (world, shared) = stopped();
    let ban = |n| Ban { id: PeerId([n; 20]), ip: [10, 0, 0, n].into(), port: 5000 };
    let (store, _) = open(&plan(&world.here), &shared);
    assert_eq!(store.banned(), []);
    store.remember(&ban(1)).unwrap();
    store.remember(&ban(2)).unwrap();
    drop(store);
    let room = world.here.join(".minibit").join(shared.metainfo.share().to_string());
    let kept = fs::read_to_string(room.join("bans")).unwrap();
    fs::write(room.join("bans"), format!("{kept}nonsense\n10.0.0.3 70000 zz\n")).unwrap();
    let (store, _) = open(&plan(&world.here), &shared);
    assert_eq!(store.banned(), [ban(1), ban(2)]);
    drop(store);
    finish(&world, &shared);
}

#[test]
fn a_damaged_line_costs_no_ban_but_its_own() {
    let (world, shared) = stopped();
    let ban = |n| Ban { id: PeerId([n; 20]), ip: [10, 0, 0, n].into(), port: 5000 };
    let (store, _) = open(&plan(&world.here), &shared);
    store.remember(&ban(1)).unwrap();
    drop(store);
    let file = world.here.join(".minibit").join(shared.metainfo.share().to_string()).join("bans");
    let kept = fs::read(&file).unwrap();
    fs::write(&file, [&b"\0\xff\n"[..], &kept, b"10.0.0.9 50"].concat()).unwrap();
    let (store, _) = open(&plan(&world.here), &shared);
    assert_eq!(store.banned(), [ban(1)]);
    store.remember(&ban(2)).unwrap();
    assert_eq!(store.banned(), [ban(1), ban(2)]);
    drop(store);
    finish(&world, &shared);
}
