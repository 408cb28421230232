//! How a download ends: every file in its place, as it was, and nothing beside it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use minibit::net::content::{Change, Plan, Store, StoreError, UNWATCHED, Witness};

use crate::support::*;

#[test]
fn a_finished_share_equals_the_original_and_leaves_nothing_beside_it() {
    let world = world(&[("a", 2_500_000), ("b/c/d", 40_000), ("b/e", 1), ("nothing", 0), ("hidden/.x", 9)]);
    fs::create_dir_all(world.there.join("hollow/deep")).unwrap();
    let shared = share(&world.there);
    let store = download(&shared, &world.here);
    assert_eq!(store.path(), world.here.join("tree"));
    drop(store);
    let names: Vec<String> = listing(&world.here).into_iter().map(|(path, _)| path).take(1).collect();
    assert_eq!(names, ["tree/"]);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
    assert!(!world.here.join(".minibit").exists());
}

#[test]
fn a_share_of_zero_bytes_is_finished_at_once() {
    let world = world(&[("one", 0), ("two/three", 0)]);
    fs::create_dir_all(world.there.join("hollow")).unwrap();
    for path in [world.there.clone(), world.there.join("hollow"), world.there.join("one")] {
        let shared = share(&path);
        let (store, held) = open(&plan(&world.here), &shared);
        assert!(store.is_finished() && held.is_full());
    }
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
    assert!(world.here.join("hollow").is_dir() && world.here.join("one").is_file());
    assert!(!world.here.join(".minibit").exists());
}

#[test]
fn a_single_file_lands_in_the_folder_itself() {
    let world = world(&[("song", 40_000)]);
    let store = download(&share(&world.there.join("song")), &world.here);
    assert_eq!(store.path(), world.here.join("song"));
    drop(store);
    assert_eq!(listing(&world.here), [("song".to_owned(), content("song", 40_000))]);
}

#[test]
fn a_file_is_executable_where_it_was() {
    let world = world(&[("run", 5), ("read", 5), ("empty", 0)]);
    for name in ["run", "empty"] {
        fs::set_permissions(world.there.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    download(&share(&world.there), &world.here);
    let is_executable =
        |name| fs::metadata(world.here.join("tree").join(name)).unwrap().permissions().mode() & 0o100 != 0;
    assert!(is_executable("run") && is_executable("empty") && !is_executable("read"));
}

#[test]
fn small_files_wait_for_their_group_and_large_ones_do_not() {
    let world = world(&[("a", 10), ("b", 1_100_000), ("c", 10)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    let stands = |name| world.here.join("tree").join(name).exists();
    copy_piece(&shared.store, &store, pieces[0]);
    assert!(!stands("a"));
    pieces[1..pieces.len() - 1].iter().for_each(|piece| copy_piece(&shared.store, &store, *piece));
    assert!(stands("b") && !stands("a"));
    store.flush().unwrap();
    assert!(stands("a") && !store.is_finished());
    copy_piece(&shared.store, &store, pieces[pieces.len() - 1]);
    assert!(stands("c") && store.is_finished());
}

#[test]
fn hundreds_of_small_files_kept_by_many_threads_all_find_their_place() {
    let files: Vec<(String, usize)> = (0..700).map(|i| (format!("{}/{i}", i % 13), i % 90)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let world = world(&files);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let pieces: Vec<_> = store.wanted().iter().collect();
    std::thread::scope(|scope| {
        for part in pieces.chunks(200) {
            let (store, shared) = (&store, &shared);
            scope.spawn(move || {
                for piece in part {
                    copy_piece(&shared.store, store, *piece);
                    let block = blocks(store, *piece)[0];
                    let mut bytes = vec![0; block.length as usize];
                    store.read(block, &mut bytes).expect("readable, also while it is moved");
                }
            });
        }
    });
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}

#[test]
fn what_is_moved_is_still_read_and_not_written_any_more() {
    let world = world(&[("a", 40_000), ("b", 10)]);
    let shared = share(&world.there);
    let store = download(&shared, &world.here);
    for piece in store.wanted().iter() {
        for block in blocks(&store, piece) {
            let (mut here, mut there) = (vec![0; block.length as usize], vec![1; block.length as usize]);
            store.write(block, &there).unwrap();
            store.read(block, &mut here).unwrap();
            shared.store.read(block, &mut there).unwrap();
            assert_eq!(here, there);
        }
    }
}

#[test]
fn a_piece_kept_twice_counts_once() {
    let world = world(&[("a", 40_000)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    let piece = store.wanted().iter().next().unwrap();
    copy_piece(&shared.store, &store, piece);
    store.keep(piece).unwrap();
    assert!(!store.is_finished() && !world.here.join("tree").exists());
}

#[test]
fn chosen_files_first_and_the_others_later() {
    let world = world(&[("a.mp3", 40_000), ("b.txt", 40_000), ("c.mp3", 0)]);
    fs::create_dir(world.there.join("hollow")).unwrap();
    let shared = share(&world.there);
    let some = Plan { select: vec!["*.mp3".to_owned()], ..plan(&world.here) };
    let (store, held) = open(&some, &shared);
    fill(&shared.store, &store, &held);
    assert!(store.is_finished());
    drop(store);
    let names: Vec<String> = listing(&world.here).into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, ["tree/", "tree/a.mp3", "tree/c.mp3"]);
    let (store, held) = open(&plan(&world.here), &shared);
    assert_eq!(held.count(), 2);
    fill(&shared.store, &store, &held);
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}

/// A mount where the share belongs.
#[derive(Debug)]
struct Mount;

impl Witness for Mount {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        match change {
            Change::Move(_, to) if to.starts_with("tree") => Err(io::ErrorKind::CrossesDevices.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn that_a_file_cannot_be_moved_onto_another_file_system_is_said_and_not_waited_out() {
    let world = world(&[("a", 10)]);
    let shared = share(&world.there);
    let open = |witness: Option<Arc<dyn Witness>>| {
        Store::open_watched(&plan(&world.here), shared.metainfo.clone(), UNWATCHED, witness)
    };
    let (store, _) = open(Some(Arc::new(Mount))).unwrap();
    let piece = store.wanted().iter().next().unwrap();
    let block = blocks(&store, piece)[0];
    store.write(block, &content("a", 10)).unwrap();
    let refused = store.keep(piece).unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)) && !refused.is_passing());
    assert!(refused.to_string().contains("another file system"), "{refused}");
    drop(store);
    // Once it is unmounted, what was fetched is there.
    assert!(open(None).unwrap().0.is_finished());
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}
