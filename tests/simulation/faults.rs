//! Trouble by name: what goes wrong and what is mended. The world does it; `plan` says how much of it comes when.

mod plan;

pub use plan::plan;

use crate::queue::Micros;
use crate::tally::Kind;

/// One thing that goes wrong, or is mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// All wires die.
    CutAll,
    /// Something happens to one standing wire, chosen by this number.
    Wire(u64, WireFault),
    /// For a span nothing passes between the machines that are named and the others: away from them, and back to them.
    Part(Vec<usize>, Ways, Micros, Kind),
    /// From now on so much jitter and loss on this machine's line.
    Weather(usize, Micros, usize),
    /// From now on this part of its rate, in millionths, on this machine's line; never less than 1 KB/s.
    Rate(usize, u64),
    /// The machine goes on at another address; whether its own links are told.
    Roam(usize, bool),
    /// The process ends, all wires with it.
    Crash(usize),
    /// The machine vanishes: nobody is told.
    Vanish(usize),
    /// The machine loses power: it vanishes, and unsynced writes with it.
    PowerCut(usize),
    /// The process is started again on the same machine with the same disk.
    Return(usize),
    /// The process stands still for a span; whether its clock does too.
    Pause(usize, Micros, bool),
    /// The end of that.
    Resume(usize),
    /// The machine's clock jumps by so many microseconds.
    Jump(usize, i64),
    /// Dials to this machine fail, or succeed again.
    Refuse(usize, bool),
    /// Something happens to the machine's disk, or ceases to.
    Disk(usize, DiskFault),
}

/// What may happen to a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFault {
    /// It dies.
    Cut,
    /// One direction ends.
    HalfClose,
    /// It swallows bytes, in one direction or both, and nobody is told.
    Swallow,
    /// It changes bytes on the way.
    Garble,
    /// It changes bits of the next payload that does not come from machine 0.
    Flip,
}

/// What may happen to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// Writes take this long.
    Slow(Micros),
    /// No write ends for a span.
    Stall(Micros),
    /// Writes fail, or succeed again.
    Full(bool),
    /// The so-many-eth write fails.
    FailWrite(u32),
    /// The so-many-eth read fails.
    FailRead(u32),
    /// The next write is reported done and never was.
    LoseWrite,
    /// The next write lands in another piece.
    MisdirectWrite,
    /// A leaf that is there changes.
    Rot,
    /// Of a hundred reads, this many fail.
    BadReads(usize),
}

/// Which directions are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// Both.
    Both,
    /// From the named machines to the others.
    Out,
    /// From the others to the named machines.
    In,
}
