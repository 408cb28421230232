//! Content that changes under our feet: it is said so, and never served.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;

use minibit::content::PieceIndex;
use minibit::net::content::{ReadFault, Store, StoreError, UNWATCHED};

use crate::support::*;

fn first_block(store: &Store) -> Result<Vec<u8>, ReadFault> {
    let first = store.metainfo().geometry().pieces().next().expect("a piece");
    let mut bytes = vec![0; 16 * 1024];
    store.read(blocks(store, first)[0], &mut bytes).map(|()| bytes).map_err(|loss| loss.fault)
}

fn overwrite(file: &Path) {
    OpenOptions::new()
        .write(true)
        .open(file)
        .expect("a disk that works")
        .write_all_at(b"new", 0)
        .expect("a disk that works");
}

fn is_change_of(outcome: Result<Vec<u8>, ReadFault>, name: &str) -> bool {
    matches!(outcome, Err(ReadFault::Changed { path, .. }) if path.ends_with(name))
}

type Change = fn(&Path);

const CHANGES: [(&str, Change); 7] = [
    ("overwritten", overwrite),
    ("truncated", |file| {
        OpenOptions::new()
            .write(true)
            .open(file)
            .expect("a disk that works")
            .set_len(20_000)
            .expect("a disk that works")
    }),
    ("grown", |file| {
        OpenOptions::new()
            .write(true)
            .open(file)
            .expect("a disk that works")
            .set_len(90_000)
            .expect("a disk that works")
    }),
    ("taken away", |file| fs::remove_file(file).expect("a disk that works")),
    ("made a folder", |file| {
        fs::remove_file(file).expect("a disk that works");
        fs::create_dir(file).expect("a disk that works");
    }),
    ("made a link", |file| {
        fs::rename(file, file.with_extension("old")).expect("a disk that works");
        symlink(file.with_extension("old"), file).expect("a disk that works");
    }),
    ("replaced by its like", |file| {
        fs::rename(file, file.with_extension("old")).expect("a disk that works");
        put(file, &content("a", 70_000));
    }),
];

#[test]
fn a_file_changed_before_it_is_first_served_is_not_served() {
    for (how, change) in CHANGES {
        let world = world(&[("a", 70_000), ("b", 20_000)]);
        let shared = share(&world.there);
        change(&world.there.join("a"));
        assert!(is_change_of(first_block(&shared.store), "tree/a"), "{how}");
    }
}

#[test]
fn a_file_changed_in_place_while_it_is_served_is_not_served_any_more() {
    for (how, change) in &CHANGES[..3] {
        let world = world(&[("a", 70_000)]);
        let shared = share(&world.there);
        assert_eq!(first_block(&shared.store).unwrap(), content("a", 16 * 1024));
        change(&world.there.join("a"));
        assert!(is_change_of(first_block(&shared.store), "tree/a"), "{how}");
        assert!(is_change_of(first_block(&shared.store), "tree/a"), "and not the next time either");
    }
}

#[test]
fn what_is_read_in_place_is_true_or_not_given_at_all() {
    for (how, change) in &CHANGES[..3] {
        let world = world(&[("a", 70_000)]);
        let store = share(&world.there).store;
        let block = blocks(&store, store.metainfo().geometry().pieces().next().expect("a piece"))[0];
        let mut bytes = vec![0; 16 * 1024];
        if store.read_at_hand(block, &mut bytes) {
            assert_eq!(bytes, content("a", 16 * 1024));
        }
        change(&world.there.join("a"));
        assert!(!store.read_at_hand(block, &mut bytes), "{how}");
    }
}

#[test]
fn a_changed_file_does_not_hurt_the_others() {
    let world = world(&[("a", 70_000), ("b", 20_000)]);
    let shared = share(&world.there);
    overwrite(&world.there.join("a"));
    assert!(first_block(&shared.store).is_err());
    let last = shared.metainfo.geometry().pieces().last().unwrap();
    let mut bytes = vec![0; 16 * 1024];
    shared.store.read(blocks(&shared.store, last)[0], &mut bytes).unwrap();
    assert_eq!(bytes, content("b", 16 * 1024));
}

#[test]
fn a_chmod_is_no_change() {
    use std::os::unix::fs::PermissionsExt;
    let world = world(&[("a", 70_000)]);
    let shared = share(&world.there);
    fs::set_permissions(world.there.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
    assert!(first_block(&shared.store).is_ok());
}

#[test]
fn a_downloaded_file_that_is_taken_away_can_be_fetched_again() {
    let world = world(&[("a", 70_000), ("b", 5)]);
    let shared = share(&world.there);
    let store = download(&shared, &world.here);
    fs::remove_file(world.here.join("tree/a")).unwrap();
    assert!(is_change_of(first_block(&store), "tree/a"));
    assert!(!store.is_finished());
    let a = store.metainfo().geometry().files().next().unwrap();
    store.metainfo().geometry().pieces_of(a).for_each(|piece| copy_piece(&shared.store, &store, piece));
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}

#[test]
fn a_downloaded_file_that_was_edited_is_not_overwritten() {
    let world = world(&[("a", 10_000)]);
    let shared = share(&world.there);
    let store = download(&shared, &world.here);
    overwrite(&world.here.join("tree/a"));
    let piece = store.wanted().iter().next().unwrap();
    let block = blocks(&store, piece)[0];
    assert!(matches!(
        store.read(block, &mut vec![0; 10_000]).map_err(|loss| loss.fault),
        Err(ReadFault::Changed { .. })
    ));
    store.write(block, &content("a", 10_000)).unwrap();
    assert!(matches!(store.keep(piece), Err(StoreError::WouldOverwrite { .. })));
    assert!(fs::read(world.here.join("tree/a")).unwrap().starts_with(b"new"));
}

#[test]
fn a_file_in_the_making_that_is_cut_short_is_noticed() {
    let world = world(&[("a", 70_000)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    copy_piece(&shared.store, &store, store.wanted().iter().next().unwrap());
    assert!(first_block(&store).is_ok());
    OpenOptions::new().write(true).open(partial(&world.here, &shared, 0)).unwrap().set_len(20_000).unwrap();
    assert!(is_change_of(first_block(&store), "tree/a"));
}

#[test]
fn more_files_than_handles_are_served_in_any_order() {
    let files: Vec<(String, usize)> = (0..100).map(|i| (format!("{i}"), 100)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let world = world(&files);
    let shared = share(&world.there);
    for _ in 0..2 {
        for piece in shared.metainfo.geometry().pieces() {
            let file = shared.metainfo.geometry().place(piece).0;
            let mut bytes = vec![0; 100];
            shared.store.read(blocks(&shared.store, piece)[0], &mut bytes).unwrap();
            assert_eq!(bytes, content(&shared.metainfo.file(file).path.to_string(), 100));
        }
    }
    #[cfg(target_os = "linux")]
    assert!(open_files_below(&world.there.canonicalize().unwrap()) <= 32);
}

#[cfg(target_os = "linux")]
fn open_files_below(folder: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").expect("a list of open files").filter_map(Result::ok);
    links.filter(|link| fs::read_link(link.path()).is_ok_and(|to| to.starts_with(folder))).count()
}

fn try_copy(from: &Store, to: &Store, piece: PieceIndex) -> Result<(), StoreError> {
    for block in blocks(from, piece) {
        let mut bytes = vec![0; block.length as usize];
        from.read(block, &mut bytes).expect("readable");
        to.write(block, &bytes)?;
    }
    to.keep(piece)
}

#[test]
fn a_file_in_the_making_that_is_cut_short_or_taken_away_is_fetched_again_and_never_ends_as_a_wrong_one() {
    let harms: [(&str, Change); 2] = [
        ("cut", |file| {
            OpenOptions::new().write(true).open(file).expect("a file").set_len(40_000).expect("ours")
        }),
        ("taken away", |file| fs::remove_file(file).expect("a file")),
    ];
    for ((name, harm), after) in harms.into_iter().flat_map(|harm| (1..7).map(move |after| (harm, after))) {
        let world = world(&[("a", 6 * PIECE_BYTES as usize), ("b", 10)]);
        let shared = share(&world.there);
        let (store, _) = open(&plan(&world.here), &shared);
        let mut missing: Vec<_> = store.wanted().iter().collect();
        missing.reverse();
        let (mut steps, mut refused) = (0, 0);
        while let Some(piece) = missing.pop() {
            // Half of the next piece is written already when it comes to harm.
            steps += 1;
            if steps == after + 1 {
                let half = blocks(&store, piece)[0];
                let mut bytes = vec![0; half.length as usize];
                shared.store.read(half, &mut bytes).expect("readable");
                store.write(half, &bytes).expect("writable");
                if let Some(file) = Some(partial(&world.here, &shared, 0)).filter(|file| file.exists()) {
                    harm(&file);
                }
            }
            if try_copy(&shared.store, &store, piece).is_err() {
                refused += 1;
                missing.push(piece);
            }
            missing.extend(store.take_lost());
        }
        store.move_into_place(&store.left_behind(), UNWATCHED).expect("what waited behind it");
        assert!(store.is_finished() && refused <= 1, "{name} after {after}");
        drop(store);
        assert_eq!(listing(&world.here.join("tree")), listing(&world.there), "{name} after {after}");
    }
}

#[test]
fn however_many_files_of_a_group_are_taken_away_all_are_told_at_once_and_the_others_moved() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let world = world(&names.map(|name| (name, 10_000)));
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    let copy = |piece: &PieceIndex| copy_piece(&shared.store, &store, *piece);
    pieces[..5].iter().for_each(copy);
    for taken in [0, 2, 4] {
        fs::remove_file(partial(&world.here, &shared, taken)).expect("it is in the making");
    }
    assert!(store.flush().is_err());
    let told = store.take_lost();
    assert_eq!(told, [pieces[0], pieces[2], pieces[4]]);
    assert!(["b", "d"].iter().all(|name| world.here.join("tree").join(name).exists()));
    told.iter().chain(&pieces[5..]).for_each(copy);
    assert!(store.is_finished());
    assert!(listing(&world.here.join("tree")) == listing(&world.there));
}

#[test]
fn an_empty_file_that_is_taken_away_while_its_place_is_taken_is_made_again() {
    let world = world(&[("a", 10_000), ("b", 10_000), ("e", 0)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    copy_piece(&shared.store, &store, pieces[0]);
    let place = world.here.join("tree").join("e");
    fs::create_dir_all(&place).expect("a folder of somebody else's");
    assert!(store.flush().is_err());
    fs::remove_dir(&place).expect("it is empty");
    fs::remove_file(partial(&world.here, &shared, 2)).expect("it is in the making");
    assert!(store.move_into_place(&store.left_behind(), UNWATCHED).is_err(), "it is gone");
    store.move_into_place(&store.left_behind(), UNWATCHED).expect("it is made again");
    copy_piece(&shared.store, &store, pieces[1]);
    assert!(store.is_finished());
    assert!(listing(&world.here.join("tree")) == listing(&world.there));
}

#[test]
fn a_piece_written_before_its_file_was_cut_short_and_counted_after_is_fetched_again_too() {
    let world = world(&[("a", 4 * PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    let (store, held) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    let write = |piece: PieceIndex| {
        let parts = blocks(&store, piece).into_iter().map(|block| {
            let mut bytes = vec![0; block.length as usize];
            shared.store.read(block, &mut bytes).expect("readable");
            store.write(block, &bytes)
        });
        parts.collect::<Result<Vec<bool>, StoreError>>()
    };
    write(pieces[0]).expect("writable");
    OpenOptions::new().write(true).open(partial(&world.here, &shared, 0)).unwrap().set_len(0).unwrap();
    assert!(write(pieces[1]).is_err(), "it is noticed");
    store.keep(pieces[0]).expect("it only comes too late");
    assert!(store.take_lost().contains(&pieces[0]));
    fill(&shared.store, &store, &held);
    assert!(store.is_finished());
    drop(store);
    assert!(listing(&world.here.join("tree")) == listing(&world.there));
}
