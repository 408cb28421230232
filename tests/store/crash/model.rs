//! What a disk may hold after the power failed: of what was not synced any part, in any order. Shares no code with the store.
//!
//! Bytes of a file last once it was synced; until then each write may be there, be missing, or be there in some of its
//! sectors. Names last once their folder was synced; until then each may be there or not, but within one folder none
//! without those before it, nor in a folder that is not there. A rename is there or not, as the journals of file systems have it. After a sync that failed, what it should have written never will be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minibit::chance::Chance;

use super::recorder::Op;

const SECTOR_BYTES: usize = 512;

/// Folders and files as they lie on a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    pub folders: BTreeSet<PathBuf>,
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Image {
    /// Lays it down in a folder in which another lay: what both have is written over, which is quicker than to make it anew.
    pub fn lay_down(&self, below: &Path) {
        for entry in walkdir::WalkDir::new(below).min_depth(1).contents_first(true) {
            let entry = entry.expect("readable");
            let path = entry.path().strip_prefix(below).expect("below");
            if entry.file_type().is_dir() && !self.folders.contains(path) {
                fs::remove_dir(entry.path()).expect("an empty folder");
            } else if !entry.file_type().is_dir() && !self.files.contains_key(path) {
                fs::remove_file(entry.path()).expect("a file");
            }
        }
        self.folders.iter().for_each(|path| fs::create_dir_all(below.join(path)).expect("a folder"));
        for (path, bytes) in &self.files {
            let mut options = File::options();
            let file =
                options.write(true).create(true).truncate(false).open(below.join(path)).expect("a file");
            file.write_all_at(bytes, 0).expect("writable");
            file.set_len(bytes.len() as u64).expect("writable");
        }
    }
}

/// A file by whatever name: what was written to it, and whether each of that lasts.
#[derive(Debug, Default)]
struct Inode {
    first: Vec<u8>,
    writes: Vec<Write>,
}

#[derive(Debug)]
struct Write {
    what: What,
    fate: Fate,
}

#[derive(Debug)]
enum What {
    Bytes(u64, Arc<[u8]>),
    Length(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Lasts,
    /// A failed sync: some of it may be there, and no later sync changes that.
    GivenUp,
}

/// A change of names.
#[derive(Debug)]
struct Naming {
    folders: Vec<PathBuf>,
    what: Name,
    lasts: bool,
}

#[derive(Debug)]
enum Name {
    Folder(PathBuf),
    File(PathBuf, usize),
    Moved(PathBuf, PathBuf, usize),
    Gone(PathBuf),
    FolderGone(PathBuf),
}

/// A disk after some operations.
#[derive(Default)]
pub struct Disk {
    first: Image,
    inodes: Vec<Inode>,
    /// As a running program sees it.
    names: BTreeMap<PathBuf, usize>,
    namings: Vec<Naming>,
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

impl Disk {
    /// A disk on which just this lies, and lasts.
    pub fn holding(first: Image) -> Disk {
        let mut disk = Disk::default();
        for (path, bytes) in &first.files {
            disk.names.insert(path.clone(), disk.inodes.len());
            disk.inodes.push(Inode { first: bytes.clone(), writes: Vec::new() });
        }
        disk.first = first;
        disk
    }

    /// One operation more.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::MakeFolder(path) => self.name(vec![folder_of(path)], Name::Folder(path.clone())),
            Op::Make(path) => self.make(path),
            Op::Stretch(path, bytes) => self.write(path, What::Length(*bytes)),
            Op::Write(path, at, bytes) => self.write(path, What::Bytes(*at, bytes.clone())),
            Op::Permit(_) => {}
            Op::Sync(path) => self.settle(Some(path), Fate::Lasts),
            Op::SyncFailed(path) => self.settle(Some(path), Fate::GivenUp),
            Op::SyncAllFailed => self.settle(None, Fate::GivenUp),
            Op::SyncAll => {
                self.settle(None, Fate::Lasts);
                self.namings.iter_mut().for_each(|naming| naming.lasts = true);
            }
            Op::SyncFolder(path) => {
                let in_it = |naming: &&mut Naming| naming.folders.contains(path);
                self.namings.iter_mut().filter(in_it).for_each(|naming| naming.lasts = true);
            }
            Op::Move(from, to) => {
                let inode = self.names.remove(from).expect("what is moved is there");
                self.names.insert(to.clone(), inode);
                let folders = vec![folder_of(from), folder_of(to)];
                self.name(folders, Name::Moved(from.clone(), to.clone(), inode));
            }
            Op::Remove(path) => {
                if self.names.remove(path).is_some() {
                    self.name(vec![folder_of(path)], Name::Gone(path.clone()));
                }
            }
            Op::RemoveFolder(path) => self.name(vec![folder_of(path)], Name::FolderGone(path.clone())),
        }
    }

    fn name(&mut self, folders: Vec<PathBuf>, what: Name) {
        self.namings.push(Naming { folders, what, lasts: false });
    }

    /// A file that is there already is opened, or emptied, as the one who makes it says by what follows.
    fn make(&mut self, path: &Path) {
        if self.names.contains_key(path) {
            return;
        }
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.names.insert(path.to_owned(), inode);
        self.name(vec![folder_of(path)], Name::File(path.to_owned(), inode));
    }

    fn write(&mut self, path: &Path, what: What) {
        let inode = self.names[path];
        self.inodes[inode].writes.push(Write { what, fate: Fate::Open });
    }

    /// What becomes of all that is open of one file, or of all.
    fn settle(&mut self, path: Option<&Path>, fate: Fate) {
        let one = path.map(|path| self.names[path]);
        for (number, inode) in self.inodes.iter_mut().enumerate() {
            if one.is_none_or(|one| one == number) {
                let open = inode.writes.iter_mut().filter(|write| write.fate == Fate::Open);
                open.for_each(|write| write.fate = fate);
            }
        }
    }

    /// What may lie there when the power fails now.
    pub fn crash(&self, chance: &mut Chance) -> Image {
        let (data_percent, name_percent) = (percent(chance), percent(chance));
        let mut image = self.first.clone();
        let mut linked: BTreeMap<PathBuf, usize> = self.first.files.keys().cloned().zip(0..).collect();
        let mut torn: BTreeSet<&PathBuf> = BTreeSet::new();
        for naming in &self.namings {
            let there = |folder: &PathBuf| folder.as_os_str().is_empty() || image.folders.contains(folder);
            let can_be = naming.folders.iter().all(there);
            let is_free = !naming.folders.iter().any(|folder| torn.contains(folder));
            if !(can_be && (naming.lasts || is_free && chance.below(100) < name_percent)) {
                torn.extend(&naming.folders);
                continue;
            }
            match &naming.what {
                Name::Folder(path) => _ = image.folders.insert(path.clone()),
                Name::FolderGone(path) => _ = image.folders.remove(path),
                Name::File(path, inode) => _ = linked.insert(path.clone(), *inode),
                Name::Gone(path) => _ = linked.remove(path),
                Name::Moved(from, to, inode) => {
                    if linked.get(from) == Some(inode) {
                        linked.remove(from);
                    }
                    linked.insert(to.clone(), *inode);
                }
            }
        }
        let is_there = |path: &Path| {
            path.ancestors().skip(1).all(|above| above == Path::new("") || image.folders.contains(above))
        };
        linked.retain(|path, _| is_there(path));
        let files =
            linked.into_iter().map(|(path, inode)| (path, self.inodes[inode].crash(data_percent, chance)));
        image.files = files.collect();
        let reachable = image.folders.iter().filter(|path| is_there(path)).cloned().collect();
        image.folders = reachable;
        image
    }
}

/// Little, much, all or nothing of what is open survives.
fn percent(chance: &mut Chance) -> usize {
    [0, 10, 50, 90, 100][chance.below(5)]
}

impl Inode {
    fn crash(&self, percent: usize, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.first.clone();
        for write in &self.writes {
            if write.fate != Fate::Lasts && chance.below(100) >= percent {
                continue;
            }
            match &write.what {
                What::Length(length) => bytes.resize(size(*length), 0),
                What::Bytes(at, written) => {
                    let is_torn = write.fate != Fate::Lasts && chance.below(4) == 0;
                    put(&mut bytes, size(*at), written, |_| !is_torn || chance.below(2) == 0);
                }
            }
        }
        bytes
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("files here are small")
}

/// Writes those sectors of `written` that are `there`.
fn put(bytes: &mut Vec<u8>, at: usize, written: &[u8], mut there: impl FnMut(usize) -> bool) {
    for (number, sector) in written.chunks(SECTOR_BYTES).enumerate() {
        if there(number) {
            let from = at + number * SECTOR_BYTES;
            bytes.resize(bytes.len().max(from + sector.len()), 0);
            bytes[from..from + sector.len()].copy_from_slice(sector);
        }
    }
}
