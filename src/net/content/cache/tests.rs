//! What is kept and believed of files that no disk at hand would show: their marks are told.

use super::*;
use crate::content::Name;
use crate::net::content::stamp::Stamp;

const PIECE_BYTES: u64 = 16 * 1024;
const SECOND: i64 = 1_000_000;

fn found(path: &[&str], changed: (i64, i64)) -> FoundFile {
    let names = path.iter().map(|name| Name::new(name.as_bytes()).unwrap()).collect();
    let stamp = Stamp { bytes: 5, written: (SECOND, 5), identity: (1, 2) };
    FoundFile { path: TreePath(names), mark: Mark { stamp, changed }, executable: false }
}

/// A cache in `folder`, an hour after the files were changed.
fn cache(folder: &Path) -> HashCache {
    let now = UNIX_EPOCH + std::time::Duration::from_secs(SECOND.unsigned_abs() + 3600);
    let folder = folder.join("hashes");
    HashCache { folder, rehash: false, now, boot: Digest([1; 32]) }.settle().unwrap()
}

fn geometry(files: &[FoundFile]) -> Geometry {
    Geometry::new(PIECE_BYTES, &vec![5; files.len()]).unwrap()
}

/// Keeps `files` and gives how many are known then.
fn kept(cache: &HashCache, files: &[FoundFile]) -> u64 {
    let (geometry, root) = (geometry(files), Path::new("/share"));
    let digests = vec![Digest([7; 32]); files.len()];
    assert_eq!(cache.keep(root, files, &geometry, &digests, &Recalled::nothing(&geometry)), None);
    cache.recall(root, files, &geometry).unchanged.files
}

#[test]
fn a_status_time_of_a_whole_second_may_be_no_real_one_and_is_neither_kept_nor_believed() {
    let home = tempfile::tempdir().unwrap();
    let cache = cache(home.path());
    let files = [found(&["a"], (SECOND, 0)), found(&["b"], (SECOND, 1)), found(&["c"], (0, 0))];
    assert_eq!(kept(&cache, &files), 1);
    let head = Head { boot: cache.boot, hashed_at: cache.seconds(), piece_bytes: 1, root: b"/share" };
    let believed =
        files.map(|file| cache.is_believed(&head, &Note { path: b"a", mark: file.mark, pieces: &[] }));
    assert_eq!(believed, [false, true, false]);
}

#[test]
fn who_shares_too_many_files_to_remember_is_told_so_and_nothing_is_left_of_the_sheet() {
    let home = tempfile::tempdir().unwrap();
    let cache = cache(home.path());
    let name = "n".repeat(255);
    let files: Vec<FoundFile> = (0..4000).map(|_| found(&[name.as_str(); 100], (SECOND, 1))).collect();
    let (geometry, digests) = (geometry(&files), vec![Digest([7; 32]); files.len()]);
    let warning = cache.keep(Path::new("/share"), &files, &geometry, &digests, &Recalled::nothing(&geometry));
    let warning = warning.expect("it is not kept");
    assert!(warning.contains("too many files") && !warning.contains("--state-dir"), "{warning}");
    assert_eq!(std::fs::read_dir(&cache.folder).unwrap().count(), 0);
}
