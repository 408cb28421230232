//! Writes down every change that a store makes of its disk, and lets chosen ones fail. Knows nothing of what they mean.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
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
    /// Where the disk is that it watches; of one that lets nothing fail it does not matter.
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<Op>,
    seen: usize,
    failing: Option<(usize, io::ErrorKind)>,
    /// How many changes are made after the one that failed, before the process is dead; none = it lives.
    left: Option<usize>,
}

impl Recorder {
    /// Remembers all and lets nothing fail.
    pub fn new() -> Arc<Recorder> {
        Arc::default()
    }

    /// The change with this number, counted from 0, fails once on the disk at `dir`; of a write the first half is done.
    pub fn failing(dir: &Path, number: usize, kind: io::ErrorKind) -> Arc<Recorder> {
        let state = State { failing: Some((number, kind)), ..State::default() };
        Arc::new(Recorder { dir: dir.to_owned(), state: Mutex::new(state) })
    }

    /// As [`Recorder::failing`]; after so many changes more the process is dead, and makes none until it is born again.
    pub fn deadly(dir: &Path, number: usize, kind: io::ErrorKind, left: usize) -> Arc<Recorder> {
        let recorder = Recorder::failing(dir, number, kind);
        recorder.lock().left = Some(left);
        recorder
    }

    /// Whether the process is dead.
    pub fn is_dead(&self) -> bool {
        let state = self.lock();
        state.failing.is_none() && state.left == Some(0)
    }

    /// The next process; nothing kills it.
    pub fn be_born(&self) {
        self.lock().left.take_if(|left| *left == 0);
    }

    /// What a full disk makes of a write.
    fn write_half(&self, change: &Change<'_>) -> Option<Op> {
        let Change::Write(path, at, bytes) = change else { return None };
        let half = &bytes[..bytes.len() / 2];
        let file = File::options().write(true).open(self.dir.join(path)).expect("what is written is there");
        file.write_all_at(half, *at).expect("the real disk takes it");
        Some(Op::Write(path.to_path_buf(), *at, half.into()))
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
        if self.is_dead() {
            return Err(io::ErrorKind::Other.into());
        }
        let mut state = self.lock();
        let number = state.seen;
        state.seen += 1;
        if state.failing.is_none() {
            state.left = state.left.map(|left| left - 1);
        }
        if let Some((_, kind)) = state.failing.take_if(|(at, _)| *at == number) {
            state.log.extend(given_up(change).or_else(|| self.write_half(change)));
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
