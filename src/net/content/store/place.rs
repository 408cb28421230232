//! Moves whole files into their final place: synced first, small ones in groups, nobody's file overwritten.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use super::commit::lock;
use super::ledger::{GROUP_FILES_MAX, Place};
use super::room::SYNCS_IN_ONE_GO;
use super::{Change, Loss, ReadFault, Store, StoreError, room};
use crate::content::FileIndex;
use crate::net::content::beneath::{Standing, local, stands};
use crate::net::content::{Progress, UNWATCHED, go_on};

impl Store {
    /// Syncs and moves these whole files; when nothing wanted is left, finishes the download. What is held of them on the word
    /// of an earlier run is looked at first, as long as `progress` says so: a file of which some is wrong stays, and the others
    /// are moved all the same.
    pub fn move_into_place(&self, files: &[FileIndex], progress: Progress<'_>) -> Result<(), StoreError> {
        // Of a group that failed half way some are moved already.
        let (files, is_all_checked): (Vec<FileIndex>, bool) = {
            let ledger = self.ledger();
            let are_left = files.iter().copied().filter(|file| ledger.place(*file) == Place::Complete);
            (are_left.collect(), ledger.is_all_checked())
        };
        let (mut right, mut spoiled) = (Vec::new(), None);
        for file in files {
            let fault = if is_all_checked { None } else { self.check_trusted(file, progress)? };
            match fault {
                None => right.push(file),
                Some(fault) => _ = spoiled.get_or_insert(fault),
            }
        }
        let groups = right.chunks(GROUP_FILES_MAX).map(|group| self.move_group(group));
        groups.fold(Ok(()), Result::and)?;
        let is_last = {
            let ledger = self.ledger();
            ledger.is_all_moved() && !ledger.is_finished()
        };
        if is_last {
            self.finish()?;
        }
        spoiled.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// What is wrong of those pieces of `file` that no byte was read of in this life, if anything: it is no longer held.
    fn check_trusted(
        &self,
        file: FileIndex,
        progress: Progress<'_>,
    ) -> Result<Option<ReadFault>, StoreError> {
        let mut spoiled = None;
        for piece in self.metainfo.geometry().pieces_of(file) {
            if !self.ledger().is_unchecked(piece) {
                continue;
            }
            go_on(progress)?;
            match self.check_piece(piece) {
                Ok(()) => {}
                Err(Loss { fault: ReadFault::Passing { path, error }, .. }) => {
                    return Err(StoreError::Io { doing: "cannot read", path, error });
                }
                Err(Loss { fault, pieces, .. }) => {
                    self.ledger().leave_untold(pieces);
                    spoiled.get_or_insert(fault);
                }
            }
        }
        Ok(spoiled)
    }

    fn move_group(&self, group: &[FileIndex]) -> Result<(), StoreError> {
        let (mut sealed, outcome) = {
            // A failed sync is told to one caller only: it must be the one that knows whose bytes are lost.
            let _alone = lock(&self.download().journal);
            let sealed = try_each(group, |file| self.seal(file, group.len() == 1));
            if group.len() > 1 && SYNCS_IN_ONE_GO {
                self.ledger().unsynced.begin_sync();
                let synced = self.sync_all(&[]);
                self.ledger().unsynced.end_sync();
                synced?;
            }
            sealed
        };
        // A move that is lost with the power leaves the file, synced, in the room: it is moved again. So the folders
        // are synced but once, in the end.
        sealed.sort_unstable(); // in the order of the tree, so that a folder is opened once for most of its files
        let mut folder = None;
        let (_, moved) = try_each(&sealed, |file| self.move_file(file, &mut folder));
        outcome.and(moved)
    }

    /// Makes the file executable if it should be, and there if it is empty. If it is `alone` it is synced, or else lost.
    fn seal(&self, file: FileIndex, alone: bool) -> Result<(), StoreError> {
        let entry = self.metainfo.file(file);
        let room = &self.download().room;
        if !(alone || entry.executable || entry.length == 0 || !SYNCS_IN_ONE_GO) {
            return Ok(());
        }
        let handle = self.making(file)?;
        let (path, gate) = (room.within_partial(file), room.gate());
        let permit = || -> io::Result<()> {
            if entry.executable {
                let mode = handle.file.metadata()?.permissions().mode();
                // Whoever may read it may execute it.
                let permissions = Permissions::from_mode(mode | (mode & 0o444) >> 2);
                gate.pass(Change::Permit(&path), || handle.file.set_permissions(permissions))?;
            }
            Ok(())
        };
        permit().map_err(|error| room.failed_file("cannot make executable", file, error))?;
        if !alone && SYNCS_IN_ONE_GO {
            return Ok(());
        }
        gate.pass(Change::Sync(&path), || handle.file.sync_all()).map_err(|error| {
            self.lose_unsynced(&[file], &[]);
            room.failed_file("cannot sync", file, error)
        })
    }

    /// Moves `file` into its place; `folder` is the one that the file before went to.
    fn move_file(&self, file: FileIndex, folder: &mut Option<(PathBuf, Dir)>) -> Result<(), StoreError> {
        let download = self.download();
        let to = self.below_base(file);
        let stamp = match download.room.look(file)? {
            Some((mark, _)) if mark.stamp.bytes == self.metainfo.file(file).length => mark.stamp,
            _ => {
                return Err(self.lose_cut(file));
            }
        };
        let parent = to.parent().unwrap_or(Path::new(""));
        let (_, folder) = match folder.take().filter(|(of, _)| *of == parent) {
            Some(same) => folder.insert(same),
            None => folder.insert((parent.to_owned(), self.base.make_folder(parent)?)),
        };
        let name = Path::new(to.file_name().expect("a file has a name"));
        // Held from one to the other: a reader that looks again must not find it in neither place.
        let mut ledger = self.ledger();
        if ledger.place(file) != Place::Complete {
            return Ok(()); // lost meanwhile: its pieces are fetched again
        }
        let partial = download.room.within_partial(file);
        let moved = download.room.gate().pass(Change::Move(&partial, &to), || {
            rename(download.room.partial(), &room::name(file), folder, name, download.may_replace(file))
        });
        moved.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::WouldOverwrite { path: self.base.shown(&to) },
            io::ErrorKind::CrossesDevices => StoreError::Refused(format!(
                "'{}' lies on another file system than '{}', where its bytes are: unmount what is mounted there, or choose with \
                 -o a folder without mounts below it",
                self.base.shown(&to),
                self.base.shown(Path::new(room::ROOM)),
            )),
            _ => StoreError::Io { doing: "cannot move into place", path: self.base.shown(&to), error },
        })?;
        ledger.stand(self.metainfo.geometry(), file, stamp);
        drop(ledger);
        self.handles.forget(file);
        Ok(())
    }

    /// Makes the folders that hold nothing; the room is no longer needed.
    fn finish(&self) -> Result<(), StoreError> {
        let top = local([self.metainfo.name()]);
        if !self.metainfo.is_single_file() {
            self.base.make_folder(&top)?;
        }
        if self.download().is_whole {
            for folder in self.metainfo.empty_folders() {
                self.base.make_folder(&top.join(local(&folder.0)))?;
            }
        }
        self.sync_folders()?;
        self.download().room.vanish();
        self.ledger().finish();
        Ok(())
    }

    /// Makes every move last.
    fn sync_folders(&self) -> Result<(), StoreError> {
        if !self.metainfo.is_single_file() && SYNCS_IN_ONE_GO {
            // A commit may be under way of what was lost again meanwhile.
            let _alone = lock(&self.download().journal);
            return self.sync_all(&[]);
        }
        let mut folders = BTreeSet::new();
        for file in self.metainfo.geometry().files().filter(|file| self.ledger().is_selected(*file)) {
            folders.extend(self.below_base(file).ancestors().skip(1).map(Path::to_owned));
        }
        folders.iter().try_for_each(|folder| self.base.sync_folder(folder))
    }

    /// Lets what is whole already and not in its place wait for its group.
    pub(super) fn complete_what_is_whole(&self) -> Result<(), StoreError> {
        for file in self.metainfo.geometry().files() {
            let (place, whole, selected) = {
                let ledger = self.ledger();
                (ledger.place(file), ledger.is_whole(file), ledger.is_selected(file))
            };
            if whole && place == Place::Making && (selected || self.may_move(file)?) {
                let group = self.ledger().complete(file, self.metainfo.file(file).length);
                self.move_into_place(&group, UNWATCHED)?;
            }
        }
        Ok(())
    }

    /// Whether a file that was chosen once, and is not now, lies whole in the room and nothing stands in its place.
    fn may_move(&self, file: FileIndex) -> Result<bool, StoreError> {
        let is_made = self.download().room.look(file)?.is_some();
        Ok(is_made && matches!(self.base.look(&self.below_base(file)), Ok(Standing::Nothing)))
    }
}

/// Does what can be done: the files that it did not fail with, and the first error.
fn try_each(
    files: &[FileIndex],
    mut act: impl FnMut(FileIndex) -> Result<(), StoreError>,
) -> (Vec<FileIndex>, Result<(), StoreError>) {
    let mut outcome = Ok(());
    let mut is_done = |file: &FileIndex| {
        let done = act(*file);
        let is_done = done.is_ok();
        if outcome.is_ok() {
            outcome = done;
        }
        is_done
    };
    let done = files.iter().copied().filter(|file| is_done(file)).collect();
    (done, outcome)
}

/// Renames; an error of kind `AlreadyExists` if something is there and `force` is not given.
fn rename(from: &Dir, name: &Path, to: &Dir, new_name: &Path, force: bool) -> io::Result<()> {
    if force {
        return from.rename(name, to, new_name);
    }
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE) {
            // Not every file system can promise it.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            outcome => return Ok(outcome?),
        }
    }
    match stands(to, new_name)? {
        Standing::Nothing => from.rename(name, to, new_name),
        _ => Err(io::ErrorKind::AlreadyExists.into()),
    }
}
