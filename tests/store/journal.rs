//! What an orderly end is worth: the next run takes files at their word that look as they did, and looks before it gives.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use minibit::content::PieceSet;
use minibit::net::content::{Loss, Plan, ReadFault, Scanned, Store, StoreError};

use crate::retouch::retouch_journal;
use crate::support::*;

/// A download of `a` (four pieces, three of them kept), `b` (in its place) and `c` (nothing yet) that ended in order.
fn closed() -> (World, Scanned) {
    let world = world(&[("a", 4 * PIECE_BYTES as usize), ("b", 1_100_000), ("c", PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    pieces[..3]
        .iter()
        .chain(&pieces[4..pieces.len() - 1])
        .for_each(|piece| copy_piece(&shared.store, &store, *piece));
    store.close().expect("an orderly end");
    (world, shared)
}

/// Goes on with it; also how many bytes were read to see what is there.
fn go_on(world: &World, shared: &Scanned) -> (Store, PieceSet, u64) {
    let read = AtomicU64::new(0);
    let note = |done, _| {
        read.fetch_max(done, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let (store, held) =
        Store::open(&plan(&world.here), shared.metainfo.clone(), &note).expect("it can be opened");
    (store, held, read.into_inner())
}

fn finish(world: &World, shared: &Scanned, store: Store, held: &PieceSet) {
    fill(&shared.store, &store, held);
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}

fn journal(world: &World, shared: &Scanned) -> PathBuf {
    room(&world.here, shared).join("journal")
}

const HELD: [[u32; 2]; 2] = [[0, 2], [4, 37]];

#[test]
fn after_an_orderly_end_nothing_is_read_to_know_what_is_there() {
    let (world, shared) = closed();
    let (store, held, read) = go_on(&world, &shared);
    assert_eq!((held.runs().as_slice(), read), (&HELD[..], 0));
    finish(&world, &shared, store, &held);
}

#[test]
fn after_any_other_end_every_byte_is_read() {
    let (world, shared) = closed();
    drop(go_on(&world, &shared).0);
    let (store, held, read) = go_on(&world, &shared);
    assert_eq!(held.runs(), HELD);
    assert!(read >= 1_100_000 + 3 * u64::from(PIECE_BYTES));
    finish(&world, &shared, store, &held);
}

#[test]
fn a_file_that_looks_otherwise_is_read_and_the_others_are_not() {
    let (world, shared) = closed();
    spoil(&partial(&world.here, &shared, 0), 5);
    let (store, held, read) = go_on(&world, &shared);
    assert_eq!(held.runs(), [[1, 2], [4, 37]]);
    assert!((3..=4).contains(&(read / u64::from(PIECE_BYTES))), "only what there is of that file: {read}");
    finish(&world, &shared, store, &held);
}

#[test]
fn a_file_that_is_gone_is_fetched_again() {
    let (world, shared) = closed();
    fs::remove_file(partial(&world.here, &shared, 0)).unwrap();
    fs::remove_file(world.here.join("tree/b")).unwrap();
    let (store, held, _) = go_on(&world, &shared);
    assert!(held.is_empty());
    finish(&world, &shared, store, &held);
}

#[test]
fn bytes_that_rotted_below_a_file_that_looks_unchanged_are_never_given_and_fetched_again() {
    let (world, shared) = closed();
    spoil(&partial(&world.here, &shared, 0), u64::from(PIECE_BYTES) + 9);
    retouch_journal(&shared, &world.here);
    let (store, mut held, read) = go_on(&world, &shared);
    assert_eq!((held.runs().as_slice(), read), (&HELD[..], 0), "who does not look cannot know");
    let pieces: Vec<_> = store.wanted().iter().collect();
    let read = |at: usize| store.read(blocks(&store, pieces[at])[1], &mut vec![0; 16 * 1024]);
    assert!(
        !store.read_at_hand(blocks(&store, pieces[0])[0], &mut vec![0; 16 * 1024]),
        "not before it was looked at"
    );
    read(0).unwrap();
    match read(1) {
        Err(Loss { fault: ReadFault::Rotten { path, .. }, pieces: lost, again: true }) => {
            assert!(path.ends_with("tree/a") && lost == [pieces[1]]);
        }
        other => panic!("{other:?}"),
    }
    read(2).unwrap();
    held.remove(pieces[1]);
    finish(&world, &shared, store, &held);
}

#[test]
fn bytes_that_rotted_are_found_before_their_file_takes_its_place_though_nobody_asked_for_them() {
    let (world, shared) = closed();
    spoil(&partial(&world.here, &shared, 0), u64::from(PIECE_BYTES) + 9);
    retouch_journal(&shared, &world.here);
    let (store, held, _) = go_on(&world, &shared);
    let missing: Vec<_> = store.wanted().minus(&held).collect();
    write_piece(&shared.store, &store, missing[0]);
    write_piece(&shared.store, &store, missing[1]);
    assert!(store.count(missing[0]).is_empty(), "a small file waits for the others");
    let moved = store.keep(missing[1]).unwrap_err();
    assert!(matches!(&moved, StoreError::Spoiled(ReadFault::Rotten { .. })), "{moved}");
    assert!(world.here.join("tree/c").exists(), "it is nothing to the others");
    assert!(!world.here.join("tree/a").exists() && !store.is_finished());
    let rotten = store.wanted().iter().nth(1).unwrap();
    assert_eq!(store.take_lost(), [rotten]);
    copy_piece(&shared.store, &store, rotten);
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}

#[test]
fn of_a_file_that_is_whole_and_not_in_its_place_yet_every_byte_is_read() {
    let (world, shared) = closed();
    let (store, _, _) = go_on(&world, &shared);
    let fourth = store.wanted().iter().nth(3).unwrap();
    copy_piece(&shared.store, &store, fourth);
    store.close().expect("an orderly end");
    drop(store);
    spoil(&partial(&world.here, &shared, 0), u64::from(PIECE_BYTES) + 9);
    retouch_journal(&shared, &world.here);
    let (store, held, _) = go_on(&world, &shared);
    assert_eq!(held.runs(), [[0, 0], [2, 37]]);
    finish(&world, &shared, store, &held);
}

#[test]
fn a_look_before_the_move_that_is_stopped_leaves_all_as_it_is() {
    let (world, shared) = closed();
    let (store, held, _) = go_on(&world, &shared);
    store.wanted().minus(&held).for_each(|piece| write_piece(&shared.store, &store, piece));
    let whole: Vec<_> = store.wanted().minus(&held).flat_map(|piece| store.count(piece)).collect();
    let stopped = store.move_into_place(&whole, &|_, _| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(StoreError::Stopped(_))), "{stopped:?}");
    assert!(store.take_lost().is_empty() && !world.here.join("tree/a").exists());
    store.close().expect("an orderly end");
    drop(store);
    let (store, held, _) = go_on(&world, &shared);
    assert_eq!(held.runs(), [[0, 38]]);
    finish(&world, &shared, store, &held);
}

#[test]
fn bytes_that_rotted_in_their_final_place_are_never_given_and_not_written_over() {
    let (world, shared) = closed();
    spoil(&world.here.join("tree/b"), 40_000);
    retouch_journal(&shared, &world.here);
    let (store, held, _) = go_on(&world, &shared);
    let rotten = store.wanted().iter().nth(5).unwrap();
    let loss = store.read(blocks(&store, rotten)[0], &mut vec![0; 16 * 1024]).unwrap_err();
    assert!(matches!(loss, Loss { fault: ReadFault::Rotten { .. }, again: false, .. }), "{loss:?}");
    assert!(held.contains(rotten));
    assert!(store.read(blocks(&store, rotten)[0], &mut vec![0; 16 * 1024]).is_err(), "nor when asked again");
}

#[test]
fn of_a_rotten_file_it_is_said_to_mend_the_copy_or_where_only_some_was_chosen_to_fetch_the_file_again() {
    for (select, advice) in [(None, "verify --repair"), (Some("b".to_owned()), "join --force")] {
        let (world, shared) = closed();
        spoil(&world.here.join("tree/b"), 40_000);
        retouch_journal(&shared, &world.here);
        let (store, held) = open(&Plan { select: Vec::from_iter(select), ..plan(&world.here) }, &shared);
        let rotten = held.iter().nth(4).unwrap();
        let loss = store.read(blocks(&store, rotten)[0], &mut vec![0; 16 * 1024]).unwrap_err();
        assert!(loss.fault.to_string().contains(advice), "{}", loss.fault);
    }
}

#[test]
fn an_older_journal_is_not_believed_of_what_changed_since() {
    let (world, shared) = closed();
    let old = fs::read(journal(&world, &shared)).unwrap();
    let (store, _, _) = go_on(&world, &shared);
    let fourth = store.wanted().iter().nth(3).unwrap();
    copy_piece(&shared.store, &store, fourth);
    drop(store);
    fs::write(journal(&world, &shared), old).unwrap();
    let (store, held, read) = go_on(&world, &shared);
    assert_eq!(held.runs(), [[0, 37]]);
    assert!(read > 0, "what was written since is looked at");
    finish(&world, &shared, store, &held);
}

#[test]
fn a_damaged_or_foreign_journal_costs_a_look_and_no_byte_from_anybody() {
    let (_, other) = closed();
    let foreign = |text: &str| text.replace(&other.metainfo.share().to_string(), &"0".repeat(64));
    let changes: [(&str, &dyn Fn(String) -> String); 6] = [
        ("empty", &|_| String::new()),
        ("garbage", &|_| "\u{0}\u{1}nonsense\n".repeat(100)),
        ("newer", &|text| text.replacen("journal 1", "journal 9", 1)),
        ("foreign", &|text| foreign(&text)),
        ("one letter changed", &|text| text.replacen("kept", "kepT", 1)),
        ("cut", &|text| text[..text.len() - 3].to_owned()),
    ];
    for (name, change) in changes {
        let (world, shared) = closed();
        let path = journal(&world, &shared);
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(&path, text).unwrap();
        let (store, held, read) = go_on(&world, &shared);
        assert_eq!(held.runs(), HELD, "{name}");
        assert!(read > 1_100_000, "{name}");
        finish(&world, &shared, store, &held);
    }
}

#[test]
fn a_journal_that_cannot_be_read_or_is_no_file_is_put_aside_or_named() {
    let (world, shared) = closed();
    let path = journal(&world, &shared);
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    let (store, held, _) = go_on(&world, &shared);
    assert_eq!(held.runs(), HELD);
    assert!(fs::symlink_metadata(&path).unwrap().is_file(), "the link was replaced, not followed");
    finish(&world, &shared, store, &held);
}
