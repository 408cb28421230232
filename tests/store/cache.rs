//! What is hashed to be shared, and what is taken as unchanged: by files on real disks, and a clock that is told.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use minibit::ids::Digest;
use minibit::net::content::{HashCache, ScanOptions, Scanned, Unchanged, scan};

use crate::support::*;

const HOUR: Duration = Duration::from_secs(3600);
const BOOT: Digest = Digest([1; 32]);

/// A cache beside the world, in an hour: all files have been at rest long enough.
fn cache(world: &World) -> HashCache {
    let folder = world.here.join("state/minibit-hashes");
    HashCache { folder, rehash: false, now: SystemTime::now() + HOUR, boot: BOOT }
}

/// Shares `path`, and gives how many bytes were read for it: progress is told after every read, and of nothing else.
fn shared(path: &Path, cache: &HashCache) -> (Scanned, u64) {
    let options =
        ScanOptions { piece_bytes: Some(PIECE_BYTES), cache: Some(cache.clone()), ..ScanOptions::default() };
    let read = AtomicU64::new(0);
    let note = |done, _| {
        read.fetch_max(done, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let scanned = scan(path, options, &note).expect("it can be shared");
    (scanned, read.into_inner())
}

/// Bytes that were read to share `path`. What is described is right, whatever was believed.
#[track_caller]
fn read(path: &Path, cache: &HashCache) -> u64 {
    let (scanned, read) = shared(path, cache);
    assert_eq!(scanned.metainfo.share(), share(path).metainfo.share());
    assert!(scanned.warnings.is_empty(), "{:?}", scanned.warnings);
    read
}

/// The sheets that are kept.
fn sheets(cache: &HashCache) -> Vec<PathBuf> {
    let entries = fs::read_dir(&cache.folder).into_iter().flatten();
    entries.map(|entry| entry.expect("readable").path()).collect()
}

fn set_modified(path: &Path, time: SystemTime) {
    File::open(path).and_then(|file| file.set_modified(time)).expect("ours to date");
}

fn some() -> World {
    world(&[("a", 70_000), ("b/c", 16_384), ("b.txt", 3), ("empty", 0)])
}

const SOME_BYTES: u64 = 70_000 + 16_384 + 3;

#[test]
fn what_is_unchanged_is_not_read_again() {
    let world = some();
    let cache = cache(&world);
    let (first, bytes) = shared(&world.there, &cache);
    assert_eq!((bytes, first.unchanged), (SOME_BYTES, Unchanged::default()));
    let (second, bytes) = shared(&world.there, &cache);
    assert_eq!((bytes, second.unchanged), (0, Unchanged { files: 3, bytes: SOME_BYTES }));
    assert_eq!(first.metainfo.to_file(&[]), second.metainfo.to_file(&[]));
    assert_eq!(download(&second, &world.here).path(), world.here.join("tree"));
}

#[test]
fn a_single_file_is_known_again_too() {
    let world = some();
    let cache = cache(&world);
    assert_eq!(read(&world.there.join("a"), &cache), 70_000);
    assert_eq!(read(&world.there.join("a"), &cache), 0);
}

#[test]
fn only_what_was_changed_added_or_renamed_is_read() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    put(&world.there.join("b/c"), &content("other", 20_000));
    assert_eq!(read(&world.there, &cache), 20_000);
    put(&world.there.join("a.txt"), &content("new", 100));
    assert_eq!(read(&world.there, &cache), 100);
    fs::rename(world.there.join("b.txt"), world.there.join("z.txt")).unwrap();
    assert_eq!(read(&world.there, &cache), 3);
    fs::remove_file(world.there.join("a")).unwrap();
    assert_eq!(read(&world.there, &cache), 0);
    assert_eq!(read(&world.there, &cache), 0);
}

#[test]
fn a_change_that_puts_size_and_time_of_writing_back_is_noticed() {
    let world = some();
    let (cache, file) = (cache(&world), world.there.join("a"));
    read(&world.there, &cache);
    let before = fs::metadata(&file).unwrap();
    // Until the clock of the file system has ticked.
    while fs::metadata(&file).unwrap().ctime_nsec() == before.ctime_nsec() {
        put(&file, &content("other", 70_000));
        set_modified(&file, before.modified().unwrap());
    }
    let after = fs::metadata(&file).unwrap();
    assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
    assert_eq!(read(&world.there, &cache), 70_000);
}

#[test]
fn a_file_that_was_touched_just_before_it_was_hashed_is_read_again() {
    let world = some();
    let touched = |file| fs::metadata(world.there.join(file)).unwrap().ctime();
    let touched = ["a", "b/c", "b.txt"].map(touched);
    let at = |second: i64| {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(second).unwrap());
        HashCache { now, ..cache(&world) }
    };
    let (first, last) = (touched.iter().min().unwrap(), touched.iter().max().unwrap());
    assert_eq!(read(&world.there, &at(first + 2)), SOME_BYTES);
    assert_eq!(read(&world.there, &at(last + 3)), SOME_BYTES, "nothing was kept");
    assert_eq!(read(&world.there, &at(last + 3)), 0);
}

#[test]
fn a_file_that_was_written_in_the_future_is_always_read() {
    let world = some();
    let cache = cache(&world);
    set_modified(&world.there.join("b/c"), SystemTime::now() + 2 * HOUR);
    assert_eq!(read(&world.there, &cache), SOME_BYTES);
    let sheet = sheets(&cache).remove(0);
    let before = fs::metadata(&sheet).unwrap().ino();
    assert_eq!(read(&world.there, &cache), 16_384);
    assert_eq!(fs::metadata(&sheet).unwrap().ino(), before, "there is nothing new to keep");
    assert_eq!(read(&world.there, &cache), 16_384);
    put(&world.there.join("b/c"), &content("b/c", 16_384));
    assert_eq!(read(&world.there, &cache), 16_384);
    assert_eq!(read(&world.there, &cache), 0, "it is at rest now, and was kept");
    set_modified(&world.there.join("b/c"), SystemTime::now() + 2 * HOUR);
    assert_eq!(read(&world.there, &cache), 16_384);
    put(&world.there.join("b/c"), &content("b/c", 16_384));
    assert_eq!(read(&world.there, &cache), 16_384, "what was known of it before is no more");
}

#[test]
fn after_the_machine_was_started_anew_only_what_was_long_at_rest_is_believed() {
    let world = some();
    let young = HashCache { now: SystemTime::now() + Duration::from_secs(500), ..cache(&world) };
    let reborn = |cache: &HashCache| HashCache { boot: Digest([2; 32]), ..cache.clone() };
    read(&world.there, &young);
    assert_eq!(read(&world.there, &young), 0);
    assert_eq!(read(&world.there, &reborn(&cache(&world))), SOME_BYTES, "and kept, an hour at rest");
    assert_eq!(read(&world.there, &cache(&world)), 0);
    let unknown = HashCache { boot: Digest::default(), ..young };
    read(&world.there, &HashCache { rehash: true, ..unknown.clone() });
    assert_eq!(read(&world.there, &unknown), SOME_BYTES, "nobody knows whether it is the same life");
}

#[test]
fn who_distrusts_the_cache_reads_all_and_keeps_it_anew() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let sheet = sheets(&cache).remove(0);
    let before = fs::metadata(&sheet).unwrap().ino();
    assert_eq!(read(&world.there, &HashCache { rehash: true, ..cache.clone() }), SOME_BYTES);
    assert_ne!(fs::metadata(&sheet).unwrap().ino(), before);
    assert_eq!(read(&world.there, &cache), 0);
}

#[test]
fn a_ruined_sheet_is_passed_over_and_written_anew() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let sheet = sheets(&cache).remove(0);
    let sound = fs::read(&sheet).unwrap();
    let elsewhere = world.here.join("sheet");
    fs::write(&elsewhere, &sound).unwrap();
    let ruins: [(&str, &dyn Fn()); 8] = [
        ("empty", &|| fs::write(&sheet, b"").unwrap()),
        ("cut", &|| fs::write(&sheet, &sound[..sound.len() / 2]).unwrap()),
        ("a changed bit", &|| {
            let mut bytes = sound.clone();
            bytes[200] ^= 1;
            fs::write(&sheet, bytes).unwrap();
        }),
        ("of another version", &|| fs::write(&sheet, [b"minibit hashes 2", &sound[16..]].concat()).unwrap()),
        ("huge", &|| File::create(&sheet).unwrap().set_len(1 << 40).unwrap()),
        ("a link", &|| {
            fs::remove_file(&sheet).unwrap();
            symlink(&elsewhere, &sheet).unwrap();
        }),
        ("others may write it", &|| {
            fs::set_permissions(&sheet, fs::Permissions::from_mode(0o622)).unwrap();
        }),
        ("gone", &|| fs::remove_file(&sheet).unwrap()),
    ];
    for (what, ruin) in ruins {
        ruin();
        assert_eq!(read(&world.there, &cache), SOME_BYTES, "{what}");
        assert_eq!(read(&world.there, &cache), 0, "{what}");
    }
    assert_eq!(sheets(&cache), [sheet]);
}

#[test]
fn a_sheet_of_another_folder_is_not_believed_under_this_name() {
    let (world, other) = (some(), some());
    let cache = cache(&world);
    read(&world.there, &cache);
    let sheet = sheets(&cache).remove(0);
    read(&other.there, &cache);
    let foreign = sheets(&cache).into_iter().find(|path| *path != sheet).unwrap();
    fs::copy(foreign, sheet).unwrap();
    assert_eq!(read(&world.there, &cache), SOME_BYTES);
}

#[test]
fn a_folder_that_was_moved_is_read_and_what_came_in_its_place_too() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let moved = world.there.with_file_name("moved");
    fs::rename(&world.there, &moved).unwrap();
    assert_eq!(read(&moved, &cache), SOME_BYTES);
    for file in ["a", "b/c", "b.txt", "empty"] {
        put(&world.there.join(file), &fs::read(moved.join(file)).unwrap());
    }
    assert_eq!(read(&world.there, &cache), SOME_BYTES);
}

#[test]
fn each_piece_length_is_known_for_itself() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let by_size = || {
        let options = ScanOptions { cache: Some(cache.clone()), ..ScanOptions::default() };
        try_share(&world.there, options).unwrap().unchanged.bytes
    };
    assert_eq!((by_size(), by_size()), (0, SOME_BYTES));
    assert_eq!(read(&world.there, &cache), 0);
}

#[test]
fn many_at_once_leave_whole_sheets_and_nothing_else() {
    let (world, other) = (some(), some());
    let cache = cache(&world);
    std::thread::scope(|scope| {
        for at in 0..8 {
            let place = if at % 2 == 0 { &world.there } else { &other.there };
            let cache = HashCache { rehash: at < 6, ..cache.clone() };
            scope.spawn(move || (0..10).for_each(|_| _ = read(place, &cache)));
        }
    });
    assert_eq!((read(&world.there, &cache), read(&other.there, &cache)), (0, 0));
    assert_eq!(sheets(&cache).len(), 2);
}

#[test]
fn nobody_else_may_look_at_what_is_kept() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&cache.folder), mode(&sheets(&cache)[0])), (0o700, 0o600));
}

#[test]
fn of_many_sheets_those_that_were_of_use_longest_ago_go() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let ours = sheets(&cache).remove(0);
    for old in 0..300_u32 {
        let path = cache.folder.join(format!("{old:064x}.hashes"));
        fs::write(&path, b"").unwrap();
        set_modified(&path, SystemTime::now() - HOUR + Duration::from_secs(old.into()));
    }
    set_modified(&ours, SystemTime::now() - 2 * HOUR);
    assert_eq!(read(&world.there, &cache), 0, "it is of use, and the youngest again");
    assert_eq!(read(&world.there.join("a"), &cache), 70_000);
    let left = sheets(&cache);
    assert_eq!(left.len(), 256);
    assert!(left.contains(&ours));
    assert!(!left.contains(&cache.folder.join(format!("{:064x}.hashes", 45))));
    assert!(left.contains(&cache.folder.join(format!("{:064x}.hashes", 46))));
}

#[test]
fn what_others_keep_under_names_like_those_of_sheets_stays() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let like =
        ["", ".jpg", ".hashes.jpg", ".hashes.0123", ".hashes.0123456789abcdeg", ".hashes.0123456789abcdef0"];
    let foreign = |number: usize, end: &str| cache.folder.join(format!("{number:064x}{end}"));
    for number in 0..300 {
        like.iter().for_each(|end| fs::write(foreign(number, end), b"dear").unwrap());
        fs::write(cache.folder.join(format!("{number:064X}.hashes").replace('0', "A")), b"dear").unwrap();
    }
    File::create(foreign(1, "")).unwrap().set_len(1 << 40).unwrap();
    let left = sheets(&cache).len();
    read(&world.there.join("a"), &cache);
    assert_eq!(sheets(&cache).len(), left + 1);
}

#[test]
fn what_a_crash_left_half_written_goes_like_a_sheet() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let part = cache.folder.join(format!("{:064x}.hashes.0123456789abcdef", 0));
    File::create(&part).unwrap().set_len(1 << 40).unwrap();
    set_modified(&part, SystemTime::now() - HOUR);
    read(&world.there.join("a"), &cache);
    assert!(!part.exists());
}

#[test]
fn sheets_together_stay_within_their_bytes() {
    let world = some();
    let cache = cache(&world);
    fs::create_dir_all(&cache.folder).unwrap();
    for old in 0..5_u32 {
        let file = File::create(cache.folder.join(format!("{old:064x}.hashes"))).unwrap();
        file.set_len(60 << 20).unwrap();
    }
    read(&world.there, &cache);
    assert_eq!(sheets(&cache).len(), 1 + 4);
}

#[test]
fn a_place_that_holds_nothing_is_warned_of_and_stops_no_share() {
    let world = some();
    let cache = HashCache { folder: world.there.join("../file/hashes"), ..cache(&world) };
    fs::write(world.there.join("../file"), b"").unwrap();
    let (scanned, bytes) = shared(&world.there, &cache);
    assert_eq!((bytes, scanned.warnings.len()), (SOME_BYTES, 1));
    assert!(scanned.warnings[0].contains("--state-dir"), "{}", scanned.warnings[0]);
}

#[test]
fn hashes_that_are_kept_inside_of_what_is_shared_are_left_out_and_of_use() {
    let (world, other) = (some(), some());
    let inside = world.there.join("state/minibit-hashes");
    // By whatever words one comes there.
    for folder in [inside.clone(), world.there.join("../nowhere/../tree/state/minibit-hashes")] {
        let _ = fs::remove_dir_all(world.there.join("state"));
        let cache = HashCache { folder, ..cache(&world) };
        read(&other.there, &cache);
        let (first, bytes) = shared(&world.there, &cache);
        assert_eq!(bytes, SOME_BYTES);
        let (second, bytes) = shared(&world.there, &cache);
        assert_eq!((bytes, second.unchanged.files), (0, 3));
        assert_eq!(first.metainfo.to_file(&[]), second.metainfo.to_file(&[]));
        assert_eq!((first.metainfo.geometry().files().count(), sheets(&cache).len()), (4, 2));
        let left_out = format!("'{}' is left out", inside.canonicalize().unwrap().display());
        assert!(
            second.warnings.len() == 1 && second.warnings[0].starts_with(&left_out),
            "{:?}",
            second.warnings
        );
    }
}

#[test]
fn the_folder_of_the_hashes_itself_is_not_shared() {
    let world = some();
    let cache = cache(&world);
    read(&world.there, &cache);
    let options = ScanOptions { cache: Some(cache.clone()), ..ScanOptions::default() };
    let refused = try_share(&cache.folder, options).unwrap_err().to_string();
    assert!(refused.contains("--state-dir"), "{refused}");
}
