//! Writes down every change that a store makes of its disk, and lets chosen ones fail. Knows nothing of what they mean.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use minibit::net::content::{Change, Witness};

/// A change that was made, or a sync that the disk refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    MakeFolder(PathBuf),
    Make(PathBuf),
    Stretch(PathBuf, u64),
    Write(PathBuf, u64, Arc<[u8]>),
    Permit(PathBuf),
    Sync(PathBuf),
    SyncFolder(PathBuf),
    SyncAll,
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
    RemoveFolder(PathBuf),
    /// The disk gave up what it had not written yet of a file.
    SyncFailed(PathBuf),
    /// And of every file.
    SyncAllFailed,
}

impl Op {
    /// Without the bytes.
    pub fn shown(&self) -> String {
        match self {
            Op::Write(path, at, bytes) => format!("Write({}, {at}, {} bytes)", path.display(), bytes.len()),
            other => format!("{other:?}"),
        }
    }
}

/// A witness that remembers.
#[derive(Debug, Default)]
pub struct Recorder {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<Op>,
    seen: usize,
    failing: Option<(usize, io::ErrorKind)>,
}

impl Recorder {
    /// Remembers all and lets nothing fail.
    pub fn new() -> Arc<Recorder> {
        Arc::default()
    }

    /// The change with this number, counted from 0, fails once.
    pub fn failing(number: usize, kind: io::ErrorKind) -> Arc<Recorder> {
        let state = State { failing: Some((number, kind)), ..State::default() };
        Arc::new(Recorder { state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    /// How many changes were made so far.
    pub fn count(&self) -> usize {
        self.lock().log.len()
    }

    /// Whether the change that was to fail did.
    pub fn has_failed(&self) -> bool {
        self.lock().failing.is_none()
    }

    /// What was made, in order.
    pub fn log(&self) -> Vec<Op> {
        self.lock().log.clone()
    }
}

impl Witness for Recorder {
    fn before(&self, change: &Change<'_>) -> io::Result<()> {
        let mut state = self.lock();
        let number = state.seen;
        state.seen += 1;
        if let Some((_, kind)) = state.failing.take_if(|(at, _)| *at == number) {
            state.log.extend(given_up(change));
            return Err(kind.into());
        }
        state.log.push(made(change));
        Ok(())
    }
}

fn given_up(change: &Change<'_>) -> Option<Op> {
    match change {
        Change::Sync(path) => Some(Op::SyncFailed(path.to_path_buf())),
        Change::SyncAll => Some(Op::SyncAllFailed),
        _ => None,
    }
}

fn made(change: &Change<'_>) -> Op {
    let own = Path::to_path_buf;
    match *change {
        Change::MakeFolder(path) => Op::MakeFolder(own(path)),
        Change::Make(path) => Op::Make(own(path)),
        Change::Stretch(path, bytes) => Op::Stretch(own(path), bytes),
        Change::Write(path, at, bytes) => Op::Write(own(path), at, bytes.into()),
        Change::Permit(path) => Op::Permit(own(path)),
        Change::Sync(path) => Op::Sync(own(path)),
        Change::SyncFolder(path) => Op::SyncFolder(own(path)),
        Change::SyncAll => Op::SyncAll,
        Change::Move(from, to) => Op::Move(own(from), own(to)),
        Change::Remove(path) => Op::Remove(own(path)),
        Change::RemoveFolder(path) => Op::RemoveFolder(own(path)),
    }
}
