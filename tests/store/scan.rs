//! What can be shared, what is warned of, and what is refused.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use minibit::net::content::{ScanError, ScanOptions, Stopped, scan, verify};

use crate::support::*;

fn paths(shared: &minibit::net::content::Scanned) -> Vec<String> {
    shared.metainfo.files().iter().map(|file| file.path.to_string()).collect()
}

#[test]
fn a_folder_is_shared_in_the_order_of_its_tree() {
    let world = world(&[("b/one", 1), ("a", 70_000), ("b.txt", 3), ("empty", 0)]);
    fs::create_dir_all(world.there.join("hollow/deep")).unwrap();
    let shared = share(&world.there);
    assert_eq!(paths(&shared), ["a", "b/one", "b.txt", "empty"]);
    assert_eq!(shared.metainfo.geometry().piece_count(), 5);
    let empty: Vec<String> = shared.metainfo.empty_folders().iter().map(ToString::to_string).collect();
    assert_eq!(empty, ["hollow/deep"]);
    assert!(shared.warnings.is_empty());
    assert_eq!(shared.store.path(), world.there.canonicalize().unwrap());
    assert!(shared.store.is_finished() && shared.store.wanted().is_full());
}

#[test]
fn every_byte_can_be_read_where_it_lies() {
    let world = world(&[("a", 70_000), ("b/c", 16_384)]);
    let shared = share(&world.there);
    let mut bytes = Vec::new();
    for piece in shared.metainfo.geometry().pieces() {
        for block in blocks(&shared.store, piece) {
            let mut part = vec![0; block.length as usize];
            shared.store.read(block, &mut part).unwrap();
            bytes.extend(part);
        }
    }
    assert_eq!(bytes, [content("a", 70_000), content("b/c", 16_384)].concat());
}

#[test]
fn a_trailing_slash_and_a_dot_do_not_change_the_name() {
    let world = world(&[("a", 1)]);
    for path in [world.there.join(""), world.there.join("."), world.there.join("x/..")] {
        fs::create_dir_all(world.there.join("x")).unwrap();
        assert_eq!(share(&path).metainfo.name().to_string(), "tree");
    }
}

#[test]
fn a_single_file_bears_the_name_of_the_share() {
    let world = world(&[("song", 40_000)]);
    let shared = share(&world.there.join("song"));
    assert!(shared.metainfo.is_single_file());
    assert_eq!(paths(&shared), ["song"]);
    assert_eq!(shared.store.path(), world.there.canonicalize().unwrap().join("song"));
}

#[test]
fn one_share_is_the_same_wherever_it_lies_and_however_many_threads_hash_it() {
    let files: Vec<(String, usize)> = (0..60).map(|i| (format!("{}/{i}", i % 7), i * 3_000)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(path, bytes)| (path.as_str(), *bytes)).collect();
    let (one, other) = (world(&files), world(&files));
    assert_eq!(share(&one.there).metainfo.share(), share(&other.there).metainfo.share());
}

#[test]
fn an_empty_folder_and_an_empty_file_make_shares_of_zero_bytes() {
    let world = world(&[("nothing", 0)]);
    let hollow = world.there.join("hollow");
    fs::create_dir(&hollow).unwrap();
    for path in [hollow, world.there.join("nothing")] {
        let shared = share(&path);
        assert_eq!(shared.metainfo.geometry().total_bytes(), 0);
    }
}

#[test]
fn the_owners_executable_bit_is_noted() {
    let world = world(&[("run", 5), ("read", 5)]);
    fs::set_permissions(world.there.join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    let shared = share(&world.there);
    let executable: Vec<bool> = shared.metainfo.files().iter().map(|file| file.executable).collect();
    assert_eq!(executable, [false, true]);
}

#[test]
fn links_and_sockets_are_refused_by_path_and_can_be_left_out() {
    let world = world(&[("a", 5), ("b/c", 5)]);
    symlink("a", world.there.join("link")).unwrap();
    let _socket = UnixListener::bind(world.there.join("b/socket")).unwrap();
    let refusal = try_share(&world.there, ScanOptions::default()).unwrap_err().to_string();
    assert!(refusal.contains("--skip-special") && refusal.contains("tree/"), "{refusal}");

    let options = ScanOptions { skip_special: true, ..ScanOptions::default() };
    let shared = try_share(&world.there, options).unwrap();
    assert_eq!(paths(&shared), ["a", "b/c"]);
    let named = |what: &str| shared.warnings.iter().any(|warning| warning.contains(what));
    assert!(named("tree/link' is left out: it is a symbolic link"), "{:?}", shared.warnings);
    assert!(named("tree/b/socket' is left out: it is a socket"));
}

#[test]
fn a_folder_of_links_alone_is_an_empty_folder_and_not_every_link_is_named() {
    let world = world(&[]);
    fs::create_dir(world.there.join("links")).unwrap();
    (0..150).for_each(|i| symlink("x", world.there.join(format!("links/{i}"))).unwrap());
    let options = ScanOptions { skip_special: true, ..ScanOptions::default() };
    let shared = try_share(&world.there, options).unwrap();
    assert_eq!(shared.metainfo.empty_folders().len(), 1);
    assert_eq!(shared.warnings.len(), 101);
    assert_eq!(shared.warnings.last().unwrap(), "50 more were left out as well");
}

#[test]
fn what_downloads_left_unfinished_is_left_out_with_a_warning() {
    let world = world(&[("a", 5), (".minibit/x/lock", 1), ("b/.minibit/kept", 1)]);
    let shared = share(&world.there);
    assert_eq!(paths(&shared), ["a", "b/.minibit/kept"]);
    assert!(shared.warnings.iter().any(|warning| warning.contains(".minibit' is left out")));
}

#[test]
fn what_stands_beside_a_plain_file_in_the_place_of_the_downloads_is_shared() {
    let names: Vec<String> = (0..20).map(|number| format!("f{number:02}")).collect();
    let mut files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 5)).collect();
    files.insert(0, (".minibit", 5));
    let shared = share(&world(&files).there);
    assert_eq!(paths(&shared), names);
}

#[test]
fn names_that_windows_cannot_hold_are_warned_of_or_refused() {
    let world = world(&[("CON", 5), ("a", 1), ("A", 1)]);
    assert!(share(&world.there).warnings.iter().any(|warning| warning.contains("CON")));
    let portable = ScanOptions { portable: true, ..ScanOptions::default() };
    let refusal = try_share(&world.there, portable).unwrap_err();
    assert!(matches!(refusal, ScanError::Refused(_)));
    assert!(refusal.to_string().contains("--portable"), "{refusal}");
}

#[test]
fn a_path_that_is_not_there_and_a_device_are_refused_in_one_line() {
    let world = world(&[]);
    let gone = try_share(&world.there.join("gone"), ScanOptions::default()).unwrap_err().to_string();
    assert!(gone.contains("gone' is not there"), "{gone}");
    let device = try_share("/dev/null".as_ref(), ScanOptions::default()).unwrap_err().to_string();
    assert!(device.contains("/dev/null' is neither"), "{device}");
    assert!(try_share("/".as_ref(), ScanOptions::default()).unwrap_err().to_string().contains("has no name"));
}

#[test]
fn a_piece_length_that_may_not_be_is_refused() {
    let world = world(&[("a", 5)]);
    let options = ScanOptions { piece_bytes: Some(12_345), ..ScanOptions::default() };
    assert!(try_share(&world.there, options).unwrap_err().to_string().contains("piece length"));
}

#[test]
fn a_path_deeper_than_the_limit_is_refused() {
    let world = world(&[]);
    let deep = |depth: usize| (1..depth).fold(world.there.clone(), |path, _| path.join("d")).join("file");
    put(&deep(100), b"x");
    assert_eq!(share(&world.there).metainfo.files().len(), 1);
    put(&deep(101), b"x");
    assert!(try_share(&world.there, ScanOptions::default()).unwrap_err().to_string().contains("deeper than"));
}

#[test]
fn a_file_that_changes_while_it_is_hashed_is_refused() {
    let world = world(&[("a", 2_000_000)]);
    let file = world.there.join("a");
    let grow = |_, _| {
        fs::write(&file, content("other", 2_000_001)).unwrap();
        ControlFlow::Continue(())
    };
    let refusal = scan(&world.there, ScanOptions::default(), &grow).unwrap_err().to_string();
    assert!(refusal.contains("tree/a' changed while it was read"), "{refusal}");
}

#[test]
fn progress_ends_at_the_last_byte() {
    let world = world(&[("a", 100_000), ("b", 50_000)]);
    let last = Mutex::new((0, 0));
    let note = |done, total| {
        let mut last = last.lock().unwrap();
        *last = (done, total).max(*last);
        ControlFlow::Continue(())
    };
    scan(&world.there, ScanOptions::default(), &note).unwrap();
    assert_eq!(*last.lock().unwrap(), (150_000, 150_000));
}

#[test]
fn a_long_look_ends_when_who_watches_it_says_so() {
    let world = world(&[("a", 30_000_000)]);
    let metainfo = share(&world.there).metainfo;
    let heard = AtomicUsize::new(0);
    let enough = |done, _| {
        heard.fetch_add(usize::from(done > 0), Ordering::Relaxed);
        if done > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let scanned = scan(&world.there, ScanOptions::default(), &enough);
    assert!(matches!(scanned, Err(ScanError::Stopped(_))));
    assert_eq!(verify(&world.there, &metainfo, &enough), Err(Stopped));
    let threads = std::thread::available_parallelism().unwrap().get();
    assert!(heard.into_inner() <= 2 * threads, "a thread says at most once more what it has done");
}
