//! What of a share is there already, seen without reading a byte of it.

use std::path::{Path, PathBuf};

use cap_std::fs::Dir;

use super::journal::Whereabouts;
use super::ledger::Ledger;
use super::room::Room;
use super::{Differing, StoreError};
use crate::content::{FileIndex, Metainfo};
use crate::net::content::beneath::{Beneath, Standing, below_target};
use crate::net::content::stamp::{Mark, Stamp};
use crate::net::content::{Progress, go_on};

/// What was seen of each file.
#[derive(Debug)]
pub(super) struct Survey {
    /// In its final place; of the right length, unless it is to be mended.
    finals: Vec<Option<Mark>>,
    /// In the room: how it looks, and the bytes it takes on the disk.
    partials: Vec<Option<(Mark, u64)>>,
    files: Vec<FileIndex>,
}

impl Survey {
    /// Looks at every file. What is in the way of a chosen one is refused; what stands for another is left alone.
    pub(super) fn take(
        metainfo: &Metainfo,
        base: &Beneath,
        room: &Room,
        ledger: &Ledger,
        differing: Differing,
        progress: Progress<'_>,
    ) -> Result<Survey, StoreError> {
        let files: Vec<FileIndex> = metainfo.geometry().files().collect();
        let mut survey = Survey { finals: Vec::new(), partials: Vec::new(), files };
        let mut looker = Looker { base, folder: None };
        let is_room_empty = room.is_empty();
        for &file in &survey.files {
            go_on(progress)?;
            let path = below_target(metainfo, file);
            let seen = looker
                .look(&path)
                .and_then(|standing| candidate(metainfo, base, file, &path, standing, differing));
            survey.finals.push(if ledger.is_selected(file) { seen? } else { seen.unwrap_or(None) });
            survey.partials.push(if is_room_empty { None } else { room.look(file)? });
        }
        Ok(survey)
    }

    /// The stamp of the file that may be adopted, or mended.
    pub(super) fn candidate(&self, file: FileIndex) -> Option<Stamp> {
        self.finals[file.index()].map(|mark| mark.stamp)
    }

    /// How a file looks in either place.
    pub(super) fn mark(&self, file: FileIndex, whereabouts: Whereabouts) -> Option<Mark> {
        match whereabouts {
            Whereabouts::Standing => self.finals[file.index()],
            Whereabouts::Making => self.partials[file.index()].map(|(mark, _)| mark),
        }
    }

    /// Whether a file that may be adopted, or mended, stands in the final place.
    pub(super) fn is_candidate(&self, file: FileIndex) -> bool {
        self.candidate(file).is_some()
    }

    /// The files that lie in the room, and their lengths there.
    pub(super) fn partials(&self) -> impl Iterator<Item = (FileIndex, u64)> {
        let lengths = self.partials.iter().map(|partial| partial.map(|(mark, _)| mark.stamp.bytes));
        self.files.iter().zip(lengths).filter_map(|(file, bytes)| Some((*file, bytes?)))
    }

    /// Bytes that the chosen files will still take on the disk, those being `there` aside.
    pub(super) fn needed(
        &self,
        metainfo: &Metainfo,
        ledger: &Ledger,
        there: impl Fn(FileIndex) -> bool,
    ) -> u64 {
        let chosen = self.files.iter().filter(|file| ledger.is_selected(**file));
        let needed = |file: &FileIndex| {
            let taken = match self.candidate(*file).filter(|_| there(*file)) {
                Some(standing) => standing.bytes,
                None => self.partials[file.index()].map_or(0, |(_, taken)| taken),
            };
            metainfo.file(*file).length.saturating_sub(taken)
        };
        chosen.map(needed).sum()
    }
}

/// What may be adopted of `standing`, or why the download cannot put its file there.
fn candidate(
    metainfo: &Metainfo,
    base: &Beneath,
    file: FileIndex,
    path: &Path,
    standing: Standing,
    differing: Differing,
) -> Result<Option<Mark>, StoreError> {
    match standing {
        Standing::Nothing => Ok(None),
        Standing::Folder => Err(base.in_the_way(path, "a folder where a file must be")),
        Standing::Special(what) => Err(base.in_the_way(path, what)),
        Standing::File(data) if data.len() == metainfo.file(file).length => Ok(Some(Mark::from(&data))),
        Standing::File(data) => match differing {
            Differing::Refused => Err(StoreError::WouldOverwrite { path: base.shown(path) }),
            Differing::Replaced => Ok(None),
            Differing::Mended => Ok(Some(Mark::from(&data))),
        },
    }
}

/// Looks at paths in the order of the tree, so that a folder is opened once for all its files.
struct Looker<'a> {
    base: &'a Beneath,
    folder: Option<(PathBuf, Option<Dir>)>,
}

impl Looker<'_> {
    fn look(&mut self, path: &Path) -> Result<Standing, StoreError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = Path::new(path.file_name().expect("a file has a name"));
        if self.folder.as_ref().is_none_or(|(known, _)| known != folder) {
            self.folder = Some((folder.to_owned(), self.base.find_folder(folder)?));
        }
        match &self.folder {
            Some((_, Some(dir))) => self.base.look_in(dir, folder, name),
            _ => Ok(Standing::Nothing),
        }
    }
}
