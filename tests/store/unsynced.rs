//! A sync that fails while a piece is being written: whatever of it was written before counts for nothing. What an earlier life
//! left unsynced is written, or synced, before it counts.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fmt, io, thread};

use minibit::content::{Block, PieceIndex};
use minibit::net::content::{Change, Differing, Plan, Scanned, Store, UNWATCHED, Witness};

use crate::support::*;

/// A disk that refuses to sync when told to, and that can be told so while it writes.
#[derive(Default)]
struct Disk(Mutex<Fault>);

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

#[derive(Default)]
struct Fault {
    refuses: bool,
    /// What happens while something is synced next.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
    /// Whose next write is overtaken by a commit that fails.
    overtaken: Option<Arc<Store>>,
}

impl Witness for Disk {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        let mut fault = self.0.lock().expect("nobody panics with it");
        match change {
            Change::Sync(path) if path.components().any(|part| part.as_os_str() == "partial") => {
                let meanwhile = fault.meanwhile.take();
                let refuses = std::mem::take(&mut fault.refuses);
                drop(fault);
                meanwhile.into_iter().for_each(|happens| happens());
                if refuses { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
            }
            Change::Write(..) => {
                let Some(store) = fault.overtaken.take() else { return Ok(()) };
                fault.refuses = true;
                drop(fault);
                assert!(store.commit().is_err(), "the sync is refused");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// One file of two pieces of two blocks each, of which the second is written and counted: it is what a commit syncs.
struct Scene {
    world: World,
    shared: Arc<Scanned>,
    store: Arc<Store>,
    disk: Arc<Disk>,
    piece: PieceIndex,
}

impl Scene {
    fn new() -> Scene {
        let world = world(&[("a", 2 * PIECE_BYTES as usize)]);
        let shared = share(&world.there);
        let disk = Arc::new(Disk::default());
        let (plan, metainfo) = (plan(&world.here), shared.metainfo.clone());
        let (store, _) = Store::open_watched(&plan, metainfo, UNWATCHED, Some(disk.clone())).expect("opened");
        let pieces: Vec<PieceIndex> = store.wanted().iter().collect();
        copy_piece(&shared.store, &store, pieces[1]);
        let (shared, store) = (Arc::new(shared), Arc::new(store));
        Scene { world, shared, store, disk, piece: pieces[0] }
    }

    fn block(&self, number: usize) -> Block {
        blocks(&self.store, self.piece)[number]
    }

    /// Whether a commit is urgent then.
    fn write(&self, number: usize) -> bool {
        let mut bytes = vec![0; self.block(number).length as usize];
        self.shared.store.read(self.block(number), &mut bytes).expect("readable");
        self.store.write(self.block(number), &bytes).expect("writable")
    }

    /// The disk loses all that was written.
    fn fail(&self) {
        self.disk.0.lock().expect("nobody panics with it").refuses = true;
        assert!(self.store.commit().is_err(), "the sync is refused");
        self.lose();
    }

    fn lose(&self) {
        let file = File::options().write(true).open(partial(&self.world.here, &self.shared, 0));
        let nothing = vec![0; 2 * PIECE_BYTES as usize];
        file.expect("it is in the making").write_all_at(&nothing, 0).expect("writable");
    }

    /// The core hears what is lost; nothing of that may be believed.
    fn told(&self) -> Vec<PieceIndex> {
        self.store.take_lost()
    }

    /// Fetches again what was told to be lost, and sees that the file is right once it is in its place.
    fn fetch(self, told: &[PieceIndex], course: &str) {
        told.iter().for_each(|piece| copy_piece(&self.shared.store, &self.store, *piece));
        assert!(self.store.is_finished(), "{course}: nothing waits for ever");
        drop(self.store);
        assert!(listing(&self.world.here.join("tree")) == listing(&self.world.there), "{course}");
    }
}

#[test]
fn a_piece_whose_other_half_is_written_after_a_failed_sync_and_before_that_is_told_is_not_counted() {
    let scene = Scene::new();
    scene.write(0);
    scene.fail();
    scene.write(1);
    scene.store.keep(scene.piece).expect("it only comes too late");
    let told = scene.told();
    assert!(told.contains(&scene.piece));
    scene.fetch(&told, "a half before, a half after");
}

#[test]
fn wherever_a_sync_fails_and_whenever_that_is_told_the_file_in_its_place_is_right() {
    // Of a piece both blocks are written and it is counted: the sync fails before any of these steps, and that is told
    // before the same one or a later one, or in the end.
    for (fails, tells) in (0..=2).flat_map(|fails| (fails..=3).map(move |tells| (fails, tells))) {
        let (scene, mut told) = (Scene::new(), Vec::new());
        for step in 0..=3 {
            if fails == step {
                scene.fail();
            }
            if tells == step {
                told = scene.told();
            }
            match step {
                0 | 1 => _ = scene.write(step),
                2 => scene.store.keep(scene.piece).expect("counted, or too late"),
                _ => {}
            }
        }
        scene.fetch(&told, &format!("fails before step {fails}, told before step {tells}"));
    }
}

#[test]
fn a_piece_counts_again_once_all_of_it_was_written_anew_and_half_of_it_twice_is_not_all() {
    let scene = Scene::new();
    scene.write(0);
    scene.fail();
    scene.write(1);
    scene.write(1);
    scene.store.keep(scene.piece).expect("too late");
    let told = scene.told();
    assert!(told.contains(&scene.piece));
    scene.write(0);
    scene.store.keep(scene.piece).expect("now it counts");
    assert!(scene.told().is_empty());
    let rest: Vec<PieceIndex> = told.into_iter().filter(|piece| *piece != scene.piece).collect();
    scene.fetch(&rest, "half of it twice");
}

#[test]
fn a_block_that_a_failed_sync_overtakes_while_it_is_written_counts_as_written_before() {
    let scene = Scene::new();
    scene.disk.0.lock().expect("nobody panics with it").overtaken = Some(scene.store.clone());
    scene.write(0);
    scene.lose();
    scene.write(1);
    scene.store.keep(scene.piece).expect("it only comes too late");
    let told = scene.told();
    assert!(told.contains(&scene.piece));
    scene.fetch(&told, "overtaken");
}

/// A piece that is lost and comes again while a commit syncs: what the commit says of it must wait for the next one.
#[test]
fn a_piece_that_came_again_while_what_it_was_before_was_synced_is_not_noted_yet() {
    let scene = Scene::new();
    let (again, before) = (Arc::downgrade(&scene.store), scene.shared.clone());
    let piece = scene.store.wanted().iter().nth(1).expect("the one that was counted");
    let file = partial(&scene.world.here, &scene.shared, 0);
    scene.disk.0.lock().expect("nobody panics with it").meanwhile = Some(Box::new(move || {
        let store = again.upgrade().expect("it commits");
        File::options().write(true).open(&file).and_then(|file| file.set_len(9)).expect("writable");
        assert!(store.read(blocks(&store, piece)[0], &mut vec![0; 16 * 1024]).is_err());
        assert!(store.write(blocks(&store, piece)[0], &[0; 16 * 1024]).is_err(), "it was cut short");
        write_piece(&before.store, &store, piece);
        assert!(store.count(piece).is_empty());
    }));
    let journal = room(&scene.world.here, &scene.shared).join("journal");
    let says_kept = || fs::read_to_string(&journal).expect("it is there").contains(" kept ");
    scene.store.commit().expect("the disk is well");
    assert!(!says_kept());
    scene.store.commit().expect("the disk is well");
    assert!(says_kept());
}

/// Blocks of 16 KiB until a commit should begin.
const BLOCKS_UNTIL_COMMIT: usize = 32 * 64;

#[test]
fn a_commit_is_urgent_once_32_mib_were_written_and_no_longer_once_they_are_synced() {
    let scene = Scene::new();
    let mut before = 2..BLOCKS_UNTIL_COMMIT - 1; // two blocks were written already
    assert!(before.all(|_| !scene.write(0)));
    assert!(scene.write(0));
    scene.store.commit().expect("the disk is well");
    assert!(!scene.write(0));
}

#[test]
fn what_is_written_is_synced_from_64_mib_on_though_no_piece_of_it_is_whole() {
    let scene = Scene::new();
    scene.store.commit().expect("the disk is well");
    assert!(!scene.store.is_commit_due());
    let (synced, syncs) = sync_channel(1);
    scene.disk.0.lock().expect("nobody panics with it").meanwhile =
        Some(Box::new(move || synced.send(()).expect("one sync")));
    let are_urgent: Vec<bool> = (0..2 * BLOCKS_UNTIL_COMMIT).map(|_| scene.write(0)).collect();
    assert!(are_urgent.ends_with(&[true]) && syncs.try_recv().is_err());
    assert!(!scene.write(0) && syncs.try_recv().is_ok());
}

#[test]
fn nobody_who_writes_waits_for_a_sync_until_64_mib_are_unsynced() {
    let scene = Scene::new();
    (2..BLOCKS_UNTIL_COMMIT).for_each(|_| _ = scene.write(0));
    let (wrote, written) = sync_channel(BLOCKS_UNTIL_COMMIT + 1);
    let (again, shared, block) = (Arc::downgrade(&scene.store), scene.shared.clone(), scene.block(0));
    let (begun, writers) = sync_channel(1);
    scene.disk.0.lock().expect("nobody panics with it").meanwhile = Some(Box::new(move || {
        let store = again.upgrade().expect("it commits");
        let mut bytes = vec![0; block.length as usize];
        shared.store.read(block, &mut bytes).expect("readable");
        let writer = thread::spawn(move || {
            (0..=BLOCKS_UNTIL_COMMIT).for_each(|_| {
                store.write(block, &bytes).expect("the disk is well");
                wrote.send(()).expect("somebody counts");
            });
        });
        let next = || written.recv_timeout(Duration::from_secs(60));
        (0..BLOCKS_UNTIL_COMMIT).for_each(|_| next().expect("it writes on"));
        assert!(written.try_recv().is_err(), "it waits");
        begun.send((writer, written)).expect("one writer");
    }));
    scene.store.commit().expect("the disk is well");
    let (writer, written) = writers.recv().expect("something was synced");
    written.recv_timeout(Duration::from_secs(60)).expect("it waits no more");
    writer.join().expect("it wrote everything");
}

/// On Linux: elsewhere each is synced by itself.
#[cfg(target_os = "linux")]
#[test]
fn files_that_took_their_place_alone_or_with_others_make_no_commit_urgent() {
    const SMALL_BYTES: usize = 1024 * 1024;
    let names: Vec<String> = (0..64).map(|number| number.to_string()).collect();
    let mut files: Vec<_> = names.iter().map(|name| (name.as_str(), SMALL_BYTES)).collect();
    files.extend([("one more", 16), ("large", 33 * SMALL_BYTES)]);
    let world = world(&files);
    let shared = share(&world.there);
    let (store, diary) = opened(&world, &shared, Differing::Replaced);
    let geometry = shared.metainfo.geometry();
    let last = geometry.files().find(|file| shared.metainfo.file(*file).length == 16).expect("one more");
    for file in geometry.files().filter(|file| *file != last) {
        geometry.pieces_of(file).for_each(|piece| copy_piece(&shared.store, &store, piece));
    }
    assert!(diary.has("sync all"), "64 MiB of small files are moved together");
    let block = blocks(&store, geometry.pieces_of(last).next().expect("16 bytes"))[0];
    assert!(store.is_commit_due() && !store.write(block, &content("one more", 16)).expect("writable"));
}

/// What is written and synced, told by their paths.
#[derive(Debug, Default)]
struct Diary(Mutex<Vec<String>>);

impl Witness for Diary {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        let line = match change {
            Change::Write(path, at, bytes) => format!("write {} {at} {}", path.display(), bytes.len()),
            Change::Sync(path) => format!("sync {}", path.display()),
            Change::SyncAll => "sync all".to_owned(),
            _ => return Ok(()),
        };
        self.0.lock().expect("nobody panics with it").push(line);
        Ok(())
    }
}

impl Diary {
    fn has(&self, line: &str) -> bool {
        self.0.lock().expect("nobody panics with it").iter().any(|there| there.ends_with(line))
    }

    fn syncs(&self, path: &str) -> bool {
        self.count(|there| there.starts_with("sync ") && there.ends_with(path)) > 0
    }

    fn count(&self, is_one: impl Fn(&str) -> bool) -> usize {
        self.0.lock().expect("nobody panics with it").iter().filter(|there| is_one(there)).count()
    }
}

/// A copy of a file of three pieces, of which the first is wrong.
fn spoilt_copy() -> (World, Scanned) {
    let world = world(&[("a", 3 * PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    drop(download(&shared, &world.here));
    spoil(&world.here.join("tree/a"), 5);
    (world, shared)
}

fn mend(world: &World, shared: &Scanned) -> (Store, Arc<Diary>) {
    opened(world, shared, Differing::Mended)
}

fn opened(world: &World, shared: &Scanned, differing: Differing) -> (Store, Arc<Diary>) {
    let diary = Arc::new(Diary::default());
    let plan = Plan { differing, ..plan(&world.here) };
    let opened = Store::open_watched(&plan, shared.metainfo.clone(), UNWATCHED, Some(diary.clone()));
    (opened.expect("opened").0, diary)
}

#[test]
fn right_leaves_of_a_piece_that_an_earlier_mending_left_in_part_are_written_again() {
    let scene = Scene::new();
    scene.write(0);
    drop(scene.store); // without an orderly end
    let (store, diary) = mend(&scene.world, &scene.shared);
    let whole = format!("partial/0 0 {PIECE_BYTES}");
    assert!(!diary.has(&whole), "it is not right as a whole");
    assert!(store.doubtful(UNWATCHED).expect("readable").contains_key(&scene.piece));
    assert!(diary.has(&whole));
}

#[test]
fn what_is_right_of_a_copy_to_be_mended_is_synced_once_it_is_in_the_making_and_not_noted_before() {
    let (world, shared) = spoilt_copy();
    let (store, diary) = mend(&world, &shared);
    assert!(!store.is_commit_due());
    let first = store.wanted().iter().next().expect("three are wanted");
    let block = blocks(&store, first)[0];
    let mut bytes = vec![0; block.length as usize];
    shared.store.read(block, &mut bytes).expect("readable");
    store.write(block, &bytes).expect("writable");
    assert!(store.is_commit_due());
    store.commit().expect("the disk is well");
    assert!(diary.syncs("/partial/0"), "{diary:?}");
}

/// On Linux: elsewhere each is synced by itself, however many they are.
#[cfg(target_os = "linux")]
#[test]
fn up_to_eight_files_are_synced_by_themselves_and_more_in_one_go() {
    for (files, singly, in_one_go) in [(8, 8, 0), (9, 0, 1)] {
        let names: Vec<String> = (0..files).map(|number| number.to_string()).collect();
        let files: Vec<_> = names.iter().map(|name| (name.as_str(), 2 * PIECE_BYTES as usize)).collect();
        let world = world(&files);
        let shared = share(&world.there);
        let (store, diary) = opened(&world, &shared, Differing::Replaced);
        store.wanted().iter().step_by(2).for_each(|piece| copy_piece(&shared.store, &store, piece));
        store.commit().expect("the disk is well");
        let syncs = |of: &str| diary.count(|line| line.starts_with("sync ") && line.contains(of));
        assert_eq!((syncs("/partial/"), syncs("all")), (singly, in_one_go), "{diary:?}");
    }
}

/// A mending saw what is right of a copy where it stands; then the process dies, and somebody replaces the copy, or removes it.
#[test]
fn what_was_seen_of_a_copy_that_stood_is_not_believed_of_the_file_in_the_making_beside_it() {
    let (world, shared) = spoilt_copy();
    let (store, _) = mend(&world, &shared);
    store.commit().expect("the disk is well");
    let journal = fs::read(room(&world.here, &shared).join("journal")).expect("it is there");
    drop(store);
    let whole = 3 * u64::from(PIECE_BYTES);
    for length in [Some(whole), Some(whole - 9), None] {
        let copy = world.here.join("tree/a");
        match length {
            Some(length) => File::options().write(true).open(&copy).and_then(|copy| copy.set_len(length)),
            None => fs::remove_file(&copy),
        }
        .expect("it stands");
        put(&partial(&world.here, &shared, 0), &content("a", 3 * PIECE_BYTES as usize));
        spoil(&partial(&world.here, &shared, 0), 5);
        put(&room(&world.here, &shared).join("journal"), &journal);
        let (store, diary) = opened(&world, &shared, Differing::Replaced);
        store.commit().expect("the disk is well");
        assert!(diary.has(&format!("partial/0 {PIECE_BYTES} {PIECE_BYTES}")), "{diary:?}");
        assert!(diary.syncs("/partial/0"), "{diary:?}");
    }
}

/// As above, but the mending ended in order: how the file beside it looked is no word about what it holds.
#[test]
fn a_mending_that_ended_in_order_vouches_for_nothing_of_the_file_in_the_making_beside_the_copy() {
    let (world, shared) = spoilt_copy();
    put(&partial(&world.here, &shared, 0), &content("another", 3 * PIECE_BYTES as usize));
    let (store, _) = mend(&world, &shared);
    store.close().expect("the disk is well");
    drop(store);
    let plan = Plan { differing: Differing::Replaced, ..plan(&world.here) };
    let (_, held) = Store::open(&plan, shared.metainfo.clone(), UNWATCHED).expect("opened");
    assert_eq!(held.count(), 0);
}

/// Who begins a copy anew beside one that stands, and ends in order, is believed.
#[test]
fn what_an_orderly_end_vouches_for_is_believed_though_another_copy_stands_in_the_place() {
    let world = world(&[("a", 3 * PIECE_BYTES as usize)]);
    let shared = share(&world.there);
    put(&world.here.join("tree/a"), &content("another", 3 * PIECE_BYTES as usize));
    let (store, _) = opened(&world, &shared, Differing::Replaced);
    let first = store.wanted().iter().next().expect("three are wanted");
    copy_piece(&shared.store, &store, first);
    store.close().expect("the disk is well");
    drop(store);
    let (store, diary) = opened(&world, &shared, Differing::Replaced);
    assert!(!diary.has(&format!("partial/0 0 {PIECE_BYTES}")), "it is not written again: {diary:?}");
    store.wanted().iter().skip(1).for_each(|piece| copy_piece(&shared.store, &store, piece));
    assert!(store.is_finished(), "it is not fetched again");
}
