//! How often each kind of fault took effect. A campaign in which one never did has shown nothing of it.

use std::fmt;

macro_rules! kinds {
    ($($(#[$said:meta])* $kind:ident,)*) => {
        /// Kinds of faults, each counted where it takes effect and not where it is planned.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($(#[$said])* $kind,)* }

        const KINDS: &[Kind] = &[$(Kind::$kind),*];
    };
}

kinds! {
    /// A packet was late by chance.
    Jitter,
    /// A packet was lost: what follows waits until it was sent again.
    Loss,
    /// Bytes, or a dial, met a partition both ways.
    Partition,
    /// Bytes, or a dial, met a partition one way.
    OneWayPartition,
    /// Bytes, or a dial, met a line that comes and goes.
    Flapping,
    /// A line stood still for up to a minute, and lost nothing.
    Clog,
    /// A line fell to 1 KB/s.
    Collapse,
    /// A connection was reset.
    Reset,
    /// All connections were reset at once.
    ResetOfAll,
    /// One direction of a connection ended.
    HalfClose,
    /// A connection swallowed bytes, and told nobody.
    BlackHole,
    /// A dial was refused.
    Refusal,
    /// A machine went on at another address.
    Roaming,
    /// A line came changed and was no message any more.
    GarbledLine,
    /// Bits of a payload came changed.
    FlippedPayload,
    /// A process ended.
    Crash,
    /// A machine vanished.
    Vanishing,
    /// A machine lost power, and unsynced writes with it.
    PowerCut,
    /// A process stood still, its clock did not.
    Pause,
    /// A process stood still, its clock with it.
    Suspension,
    /// A machine's clock ran fast or slow.
    Drift,
    /// A machine's clock jumped ahead.
    JumpAhead,
    /// A machine's clock jumped back.
    JumpBack,
    /// A write met a full disk.
    FullDisk,
    /// The n-th write failed.
    FailedWrite,
    /// A write took a second or more.
    SlowWrite,
    /// A write waited until the disk came to itself.
    StalledWrite,
    /// A read failed.
    FailedRead,
    /// Bits on the disk changed.
    Rot,
    /// A write was reported done and never was.
    LostWrite,
    /// A write went to another place.
    MisdirectedWrite,
    /// An unsynced write was undone by a power cut.
    UndoneWrite,
    /// An unsynced write was torn by a power cut.
    TornWrite,
    /// What changed on the disk was found when it was read.
    RotFound,
    /// A false block was sent: by a liar, or by a disk that hid what became of it.
    FalseBlock,
    /// False leaf hashes were sent.
    FalseLeaves,
    /// A false description was sent.
    FalseMetainfo,
}

/// A count for each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    counts: Vec<(Kind, u64)>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { counts: KINDS.iter().map(|kind| (*kind, 0)).collect() }
    }
}

impl Tally {
    /// It took effect once more.
    pub fn fired(&mut self, kind: Kind) {
        self.counts[kind as usize].1 += 1;
    }

    /// Takes the counts of another along.
    pub fn add(&mut self, other: &Tally) {
        for (count, (_, more)) in self.counts.iter_mut().zip(&other.counts) {
            count.1 += more;
        }
    }

    /// Kinds that never took effect.
    pub fn missing(&self) -> Vec<Kind> {
        self.counts.iter().filter(|(_, count)| *count == 0).map(|(kind, _)| *kind).collect()
    }

    /// How often this kind took effect.
    pub fn of(&self, kind: Kind) -> u64 {
        self.counts[kind as usize].1
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.counts.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect();
        f.write_str(&parts.join(", "))
    }
}

#[test]
fn each_kind_has_its_own_count() {
    let mut tally = Tally::default();
    assert!(tally.counts.iter().enumerate().all(|(place, (kind, _))| *kind as usize == place));
    tally.fired(Kind::Rot);
    assert_eq!((tally.of(Kind::Rot), tally.missing().len()), (1, KINDS.len() - 1));
}
