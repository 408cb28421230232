//! Begins a download, or goes on with one: what is in the way is refused, what is there verified, what is missing must fit.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::change::{Gate, Witness};
use super::journal;
use super::ledger::{Ledger, Place};
use super::mend::{Mending, Mends};
use super::recheck::Recheck;
use super::room::{ROOM, Room};
use super::survey::Survey;
use super::{Differing, Download, Handles, Plan, Store, StoreError, select, space};
use crate::content::{FileIndex, Metainfo, PieceSet};
use crate::net::content::beneath::{Beneath, below_target, local, shown};
use crate::net::content::{Progress, UNWATCHED};

impl Store {
    /// Prepares a download: lock, folders, a check of what is there already (on every core), a check of the free space.
    /// Gives the store and what is verified. Files that are already in their final place and right are adopted.
    pub fn open(
        plan: &Plan,
        metainfo: Arc<Metainfo>,
        progress: Progress<'_>,
    ) -> Result<(Store, PieceSet), StoreError> {
        Store::open_watched(plan, metainfo, progress, None)
    }

    /// As [`Store::open`], with every change of the disk seen by `witness` before it is made.
    pub fn open_watched(
        plan: &Plan,
        metainfo: Arc<Metainfo>,
        progress: Progress<'_>,
        witness: Option<Arc<dyn Witness>>,
    ) -> Result<(Store, PieceSet), StoreError> {
        let selected = select::selected(&metainfo, &plan.select)?;
        if local([metainfo.name()]) == Path::new(ROOM) {
            let why = "downloads keep what is unfinished under that name; the share cannot be stored";
            return Err(StoreError::Refused(format!("the share is named '{ROOM}': {why}")));
        }
        let base = enter(plan, &metainfo, &selected)?.watched(Gate(witness));
        let room = Room::enter(&base, metainfo.share())?;
        let is_mended = plan.differing == Differing::Mended;
        let mut told = journal::read(&room, &metainfo);
        if is_mended {
            told.marks.clear(); // every byte is looked at, however orderly the last run ended
        }
        let mut ledger = Ledger::new(metainfo.geometry(), selected);
        let survey = Survey::take(&metainfo, &base, &room, &ledger, plan.differing, progress)?;
        space::check(&plan.dir, survey.needed(&metainfo, &ledger, |file| survey.is_candidate(file)))?;
        let recheck =
            Recheck { metainfo: &metainfo, base: &base, room: &room, survey: &survey, told: &told, progress };
        let right = recheck.run(&mut ledger)?;
        if plan.differing == Differing::Refused {
            refuse_what_differs(&metainfo, &base, &survey, &ledger)?;
        }
        let is_there = |file| is_final(&ledger, file) || is_mended && survey.is_candidate(file);
        space::check(&plan.dir, survey.needed(&metainfo, &ledger, is_there))?;
        room.note(&metainfo)?;
        // What is mended stands where it is for now: as long as nothing is in the making, nothing is left behind.
        if is_mended && room.is_empty() {
            room.vanish()
        } else {
            room.stay()
        }
        let mends = match is_mended {
            true => Mending { metainfo: &metainfo, base: &base, room: &room, survey: &survey, right: &right }
                .run(&mut ledger)?,
            false => Mends::default(),
        };
        tidy(&metainfo, &room, &survey, &mends, &mut ledger)?;
        if !is_mended {
            begin_largest(&metainfo, &room, &mut ledger)?;
        }
        let store = Store::downloading(plan, metainfo, base, room, ledger, mends);
        store.begin_journal(&told)?;
        store.complete_what_is_whole()?;
        store.move_into_place(&[], UNWATCHED)?;
        let held = store.ledger().kept().clone();
        Ok((store, held))
    }

    fn downloading(
        plan: &Plan,
        metainfo: Arc<Metainfo>,
        base: Beneath,
        room: Room,
        ledger: Ledger,
        mends: Mends,
    ) -> Store {
        let geometry = metainfo.geometry();
        let mut wanted = PieceSet::empty(geometry.piece_count());
        for file in geometry.files().filter(|file| ledger.is_selected(*file)) {
            geometry.pieces_of(file).for_each(|piece| {
                wanted.insert(piece);
            });
        }
        let path = plan.dir.join(local([metainfo.name()]));
        let journal = Mutex::new(None);
        let (differing, is_whole) = (plan.differing, plan.select.is_empty());
        let download = Download { room, journal, differing, mends, is_whole };
        let (handles, ledger) = (Handles::default(), Mutex::new(ledger));
        Store { metainfo, wanted, base, path, ledger, handles, download: Some(download) }
    }
}

/// Opens the folder that downloads go to; makes it where it is missing and everything fits.
fn enter(plan: &Plan, metainfo: &Metainfo, selected: &[bool]) -> Result<Beneath, StoreError> {
    let failed = |doing| move |error| StoreError::Io { doing, path: shown(&plan.dir), error };
    if !plan.dir.exists() {
        let chosen = metainfo.files().iter().zip(selected).filter(|(_, selected)| **selected);
        space::check(&plan.dir, chosen.map(|(file, _)| file.length).sum())?;
        std::fs::create_dir_all(&plan.dir).map_err(failed("cannot make the folder"))?;
    }
    Beneath::open(&plan.dir).map_err(failed("cannot open the folder"))
}

fn is_final(ledger: &Ledger, file: FileIndex) -> bool {
    matches!(ledger.place(file), Place::Final(_))
}

/// A chosen file that stands there and turned out to differ is not ours to replace.
fn refuse_what_differs(
    metainfo: &Metainfo,
    base: &Beneath,
    survey: &Survey,
    ledger: &Ledger,
) -> Result<(), StoreError> {
    let differs = |file: &FileIndex| {
        ledger.is_selected(*file) && survey.is_candidate(*file) && !is_final(ledger, *file)
    };
    match metainfo.geometry().files().find(differs) {
        Some(file) => Err(StoreError::WouldOverwrite { path: base.shown(&below_target(metainfo, file)) }),
        None => Ok(()),
    }
}

/// Brings the room in order: nothing of what stands in its final place, nothing of a wrong length.
fn tidy(
    metainfo: &Metainfo,
    room: &Room,
    survey: &Survey,
    mends: &Mends,
    ledger: &mut Ledger,
) -> Result<(), StoreError> {
    for (file, bytes) in survey.partials() {
        if is_final(ledger, file) {
            room.discard(file)?;
            continue;
        }
        if mends.stands(file) {
            continue; // what stands there takes its place
        }
        if bytes != metainfo.file(file).length {
            room.begin(file, metainfo.file(file).length)?;
        }
        ledger.begin(file);
    }
    Ok(())
}

/// Begins the largest file at once, so that a file system that cannot hold it says so now and not after gigabytes.
fn begin_largest(metainfo: &Metainfo, room: &Room, ledger: &mut Ledger) -> Result<(), StoreError> {
    let missing =
        metainfo.geometry().files().filter(|file| ledger.is_selected(*file) && !is_final(ledger, *file));
    if let Some(largest) = missing.max_by_key(|file| metainfo.file(*file).length) {
        room.begin(largest, metainfo.file(largest).length)?;
        ledger.begin(largest);
    }
    Ok(())
}
