//! How a download begins: what is in the way, what is adopted, what is chosen, and whether it fits.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use minibit::content::metainfo::FileEntry;
use minibit::content::{Metainfo, Name, TreePath};
use minibit::ids::Digest;
use minibit::net::content::{Differing, Plan, Store, StoreError, UNWATCHED};

use crate::support::*;

fn selecting(dir: &Path, patterns: &[&str]) -> Plan {
    Plan { select: patterns.iter().map(ToString::to_string).collect(), ..plan(dir) }
}

fn chosen(world: &World, patterns: &[&str]) -> Result<u32, String> {
    let outcome = try_open(&selecting(&world.here, patterns), &share(&world.there));
    outcome.map(|(store, _)| store.wanted().count()).map_err(|error| error.to_string())
}

#[test]
fn a_pattern_without_a_slash_matches_the_name_in_any_folder() {
    let world = world(&[("a.mp3", 1), ("deep/er/b.mp3", 1), ("deep/c.txt", 1), ("mp3", 1)]);
    assert_eq!(chosen(&world, &["*.mp3"]), Ok(2));
    assert_eq!(chosen(&world, &["deep/*"]), Ok(1), "a star does not cross a folder");
    assert_eq!(chosen(&world, &["deep/**"]), Ok(2));
    assert_eq!(chosen(&world, &["mp3", "*.txt"]), Ok(2));
    assert_eq!(chosen(&world, &[]), Ok(4));
}

#[test]
fn a_pattern_that_is_none_or_matches_nothing_is_refused() {
    let world = world(&[("a.mp3", 1), ("b", 1)]);
    let nothing = chosen(&world, &["*.mp4"]).unwrap_err();
    assert_eq!(nothing, "no file matches '*.mp4': the share has a.mp3, b");
    assert!(chosen(&world, &["a[", "b"]).unwrap_err().starts_with("'a[' is no pattern"));
    assert!(!world.here.exists(), "nothing was made");
}

#[test]
fn a_link_planted_anywhere_is_refused_and_what_it_leads_to_untouched() {
    let world = world(&[("a", 70_000), ("b/c", 5)]);
    let shared = share(&world.there);
    let outside = world.there.parent().unwrap().join("outside");
    let share_id = shared.metainfo.share().to_string();
    for planted in [".minibit", &format!(".minibit/{share_id}"), "tree", "tree/b", "tree/a", "tree/b/c"] {
        fs::create_dir_all(&outside).unwrap();
        let link = world.here.join(planted);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&outside, &link).unwrap();
        let refusal = try_open(&plan(&world.here), &shared).unwrap_err();
        assert!(matches!(refusal, StoreError::Refused(_)), "{planted}: {refusal}");
        assert!(refusal.to_string().contains(&format!("{planted}' is a symbolic link")), "{refusal}");
        assert!(listing(&outside).is_empty());
        fs::remove_dir_all(&world.here).unwrap();
    }
}

#[test]
fn a_link_planted_while_it_runs_leads_nowhere() {
    let world = world(&[("a", 5), ("b/c", 5)]);
    let shared = share(&world.there);
    let outside = world.there.parent().unwrap().join("outside");
    fs::create_dir_all(&outside).unwrap();
    let (store, held) = open(&plan(&world.here), &shared);
    symlink(&outside, world.here.join("tree")).unwrap();
    let pieces: Vec<_> = store.wanted().minus(&held).collect();
    copy_piece(&shared.store, &store, pieces[0]);
    for block in blocks(&store, pieces[1]) {
        let mut bytes = vec![0; block.length as usize];
        shared.store.read(block, &mut bytes).unwrap();
        store.write(block, &bytes).unwrap();
    }
    assert!(store.keep(pieces[1]).unwrap_err().to_string().contains("symbolic link"));
    assert!(listing(&outside).is_empty());
}

#[test]
fn a_folder_swapped_for_a_link_again_and_again_leads_nowhere() {
    let files: Vec<String> = (0..60).map(|i| format!("b/{i}")).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|path| (path.as_str(), 10)).collect();
    let world = world(&files);
    let shared = share(&world.there);
    let outside = world.there.parent().unwrap().join("outside");
    fs::create_dir_all(&outside).unwrap();
    let (store, held) = open(&plan(&world.here), &shared);
    let folder = world.here.join("tree/b");
    fs::create_dir_all(&folder).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let _ = fs::rename(&folder, folder.with_extension("aside"));
                let _ = symlink(&outside, &folder);
                let _ = fs::remove_file(&folder);
                let _ = fs::rename(folder.with_extension("aside"), &folder);
            }
        });
        for piece in store.wanted().minus(&held) {
            for block in blocks(&store, piece) {
                let mut bytes = vec![0; block.length as usize];
                shared.store.read(block, &mut bytes).unwrap();
                store.write(block, &bytes).unwrap();
            }
            let _ = store.keep(piece).and_then(|()| store.flush());
        }
        is_done.store(true, Ordering::Relaxed);
    });
    assert!(listing(&outside).is_empty());
}

#[test]
fn a_planted_link_in_the_room_is_not_written_through() {
    let world = world(&[("a", 70_000)]);
    let shared = share(&world.there);
    let precious = world.here.join("precious");
    put(&precious, b"do not touch");
    for name in ["lock", "metainfo.new", "partial/0"] {
        let link = room(&world.here, &shared).join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink("../../../precious", &link).unwrap();
        // What is only written anew takes the place of the link; what is gone on with must be ours.
        let is_refused = try_open(&plan(&world.here), &shared).is_err();
        assert_eq!(is_refused, name != "metainfo.new", "{name}");
        assert_eq!(fs::read(&precious).unwrap(), b"do not touch");
        fs::remove_dir_all(world.here.join(".minibit")).unwrap();
    }
}

#[test]
fn a_folder_where_a_file_belongs_and_the_reverse_are_refused() {
    let world = world(&[("a", 5), ("b/c", 5)]);
    let shared = share(&world.there);
    fs::create_dir_all(world.here.join("tree/a")).unwrap();
    let refusal = try_open(&plan(&world.here), &shared).unwrap_err().to_string();
    assert!(refusal.contains("tree/a' is a folder where a file must be"), "{refusal}");
    fs::remove_dir(world.here.join("tree/a")).unwrap();
    put(&world.here.join("tree/b"), b"x");
    let refusal = try_open(&plan(&world.here), &shared).unwrap_err().to_string();
    assert!(refusal.contains("tree/b' is a file where a folder must be"), "{refusal}");
    assert!(!world.here.join(".minibit").exists(), "the room was taken away again");
}

#[test]
fn a_file_that_is_there_and_right_is_adopted() {
    let world = world(&[("a", 70_000), ("b/c", 5), ("nothing", 0)]);
    let shared = share(&world.there);
    put(&world.here.join("tree/a"), &content("a", 70_000));
    put(&world.here.join("tree/nothing"), b"");
    let (store, held) = open(&plan(&world.here), &shared);
    assert_eq!(held.count(), 3);
    assert!(!store.is_finished());
    fill(&shared.store, &store, &held);
    assert!(store.is_finished());
    drop(store);
    assert_eq!(listing(&world.here.join("tree")), listing(&world.there));
}

#[test]
fn a_whole_share_that_is_there_is_adopted_and_nothing_is_left_beside_it() {
    let world = world(&[("a", 70_000), ("b/c", 5)]);
    let shared = share(&world.there);
    put(&world.here.join("tree/a"), &content("a", 70_000));
    put(&world.here.join("tree/b/c"), &content("b/c", 5));
    let (store, held) = open(&plan(&world.here), &shared);
    assert!(held.is_full() && store.is_finished());
    drop(store);
    assert!(!world.here.join(".minibit").exists());
}

#[test]
fn a_file_that_is_there_and_differs_is_never_overwritten() {
    for wrong in [content("other", 70_000), content("a", 69_999), Vec::new()] {
        let world = world(&[("a", 70_000)]);
        let shared = share(&world.there);
        put(&world.here.join("tree/a"), &wrong);
        let refusal = try_open(&plan(&world.here), &shared).unwrap_err();
        assert!(
            matches!(&refusal, StoreError::WouldOverwrite { path } if path.ends_with("tree/a")),
            "{refusal}"
        );
        assert_eq!(listing(&world.here), [("tree/".to_owned(), Vec::new()), ("tree/a".to_owned(), wrong)]);
    }
}

#[test]
fn a_file_that_may_not_be_written_or_that_others_have_open_is_adopted_or_left_alone_too() {
    for (is_right, there) in [(true, content("a", 70_000)), (false, content("other", 70_000))] {
        let world = world(&[("a", 70_000)]);
        let shared = share(&world.there);
        let file = world.here.join("tree/a");
        put(&file, &there);
        let mut writer = OpenOptions::new().append(true).open(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        match try_open(&plan(&world.here), &shared) {
            Ok((store, held)) => assert!(is_right && held.is_full() && store.is_finished()),
            Err(refusal) => assert!(!is_right && matches!(refusal, StoreError::WouldOverwrite { .. })),
        }
        assert_eq!(fs::read(&file).unwrap(), there);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o444);
        writer.write_all(b"more").expect("it is still the file that was opened");
        assert_eq!(fs::metadata(&file).unwrap().len(), 70_004);
    }
}

#[test]
fn with_force_a_file_is_replaced_only_when_the_new_one_is_whole() {
    for wrong in [content("other", 70_000), content("a", 69_999)] {
        let world = world(&[("a", 70_000)]);
        let shared = share(&world.there);
        let file = world.here.join("tree/a");
        put(&file, &wrong);
        let (store, held) = open(&Plan { differing: Differing::Replaced, ..plan(&world.here) }, &shared);
        assert!(held.is_empty());
        let pieces: Vec<_> = store.wanted().iter().collect();
        copy_piece(&shared.store, &store, pieces[0]);
        copy_piece(&shared.store, &store, pieces[1]);
        assert_eq!(fs::read(&file).unwrap(), wrong);
        copy_piece(&shared.store, &store, pieces[2]);
        assert_eq!(fs::read(&file).unwrap(), content("a", 70_000));
        assert!(store.is_finished());
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_overwritten() {
    let world = world(&[("a", 5)]);
    let shared = share(&world.there);
    let (store, _) = open(&plan(&world.here), &shared);
    put(&world.here.join("tree/a"), b"mine");
    let piece = store.wanted().iter().next().unwrap();
    for block in blocks(&store, piece) {
        store.write(block, &content("a", 5)).unwrap();
    }
    assert!(matches!(store.keep(piece), Err(StoreError::WouldOverwrite { .. })));
    assert_eq!(fs::read(world.here.join("tree/a")).unwrap(), b"mine");
}

#[test]
fn a_wrong_file_that_was_not_chosen_is_left_alone_and_a_right_one_is_held() {
    let world = world(&[("a", 5), ("b", 5), ("c", 5), ("d/e", 5), ("f", 0)]);
    let shared = share(&world.there);
    put(&world.here.join("tree/d"), b"a file where a folder should be");
    fs::create_dir(world.here.join("tree/f")).unwrap();
    put(&world.here.join("tree/b"), &content("b", 5));
    put(&world.here.join("tree/c"), b"wrong");
    let (store, held) = open(&selecting(&world.here, &["a"]), &shared);
    assert_eq!(held.runs(), [[1, 1]]);
    assert_eq!(store.wanted().runs(), [[0, 0]]);
    fill(&shared.store, &store, &held);
    assert!(store.is_finished());
    assert_eq!(fs::read(world.here.join("tree/c")).unwrap(), b"wrong");
}

#[test]
fn the_second_of_two_names_the_first() {
    let world = world(&[("a", 5)]);
    let shared = share(&world.there);
    let (store, held) = open(&plan(&world.here), &shared);
    let refusal = try_open(&plan(&world.here), &shared).unwrap_err();
    let own_pid = std::process::id().to_string();
    assert!(matches!(&refusal, StoreError::Locked { pid, .. } if *pid == own_pid), "{refusal}");
    fill(&shared.store, &store, &held);
    assert!(try_open(&plan(&world.here), &shared).is_err(), "as long as it seeds");
    drop(store);
    assert!(try_open(&plan(&world.here), &shared).is_ok());
}

#[test]
fn two_shares_can_be_downloaded_into_one_folder() {
    let (one, two) = (world(&[("a", 5)]), world(&[("b", 5)]));
    let (first, second) = (share(&one.there.join("a")), share(&two.there.join("b")));
    let kept = open(&plan(&one.here), &first);
    download(&second, &one.here);
    assert!(one.here.join(".minibit").exists());
    fill(&first.store, &kept.0, &kept.1);
    drop(kept);
    assert_eq!(listing(&one.here).len(), 2);
}

#[test]
fn what_cannot_fit_is_refused_before_anything_is_made() {
    let world = world(&[]);
    let pieces = vec![Digest::default(); 1 << 18];
    let length = (pieces.len() as u64) << 24;
    let (name, path) = (Name::new(b"huge").unwrap(), TreePath(vec![Name::new(b"huge").unwrap()]));
    let file = FileEntry { path, length, executable: false };
    let metainfo = Metainfo::describe(&name, 1 << 24, true, vec![file], pieces, Vec::new()).unwrap();
    let metainfo = std::sync::Arc::new(metainfo);
    let try_to = |dir: &Path| Store::open(&plan(dir), metainfo.clone(), UNWATCHED).unwrap_err();
    assert!(matches!(try_to(&world.here), StoreError::NoSpace { needed, .. } if needed == length));
    assert!(!world.here.exists());
    fs::create_dir(&world.here).unwrap();
    assert!(matches!(try_to(&world.here), StoreError::NoSpace { .. }));
    assert!(listing(&world.here).is_empty());
}

#[test]
fn a_share_with_the_name_of_our_own_folder_is_refused() {
    let world = world(&[]);
    put(&world.there.join(".minibit"), b"x");
    let shared = share(&world.there.join(".minibit"));
    assert!(matches!(try_open(&plan(&world.here), &shared), Err(StoreError::Refused(_))));
    assert!(!world.here.exists());
}
