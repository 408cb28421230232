//! What lies between two machines besides distance: jitter, loss, and directions in which nothing passes for a while.
//! As on TCP, nothing is lost for good here: it comes late, and what follows it too.

use std::collections::BTreeMap;

use minibit::chance::Chance;

use crate::queue::{Micros, SECOND};
use crate::tally::{Kind, Tally};

/// The shortest wait before something lost is sent again.
const RESEND: Micros = SECOND / 5;
const RESENDS_MAX: u32 = 6;

/// One machine's line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    /// Up to so late, by chance.
    pub jitter: Micros,
    /// Of a hundred chunks, how many lose a packet.
    pub loss_percent: usize,
}

/// The weather between all machines.
#[derive(Debug)]
pub struct Weather {
    /// Of each machine.
    pub lines: Vec<Line>,
    /// Nothing passes before the moment, by (from, to), because of this.
    closed: BTreeMap<(usize, usize), (Micros, Kind)>,
    /// Of all of it.
    pub chance: Chance,
    /// What took effect.
    pub tally: Tally,
}

impl Default for Weather {
    fn default() -> Weather {
        Weather::new(0)
    }
}

impl Weather {
    /// Fair, and drawn from this seed.
    pub fn new(seed: u64) -> Weather {
        let (lines, closed) = (Vec::new(), BTreeMap::new());
        Weather { lines, closed, chance: Chance::new(seed ^ 0x11ea), tally: Tally::default() }
    }

    /// Nothing passes from one machine to another before `until`.
    pub fn close(&mut self, from: usize, to: usize, until: Micros, kind: Kind) {
        let closure = self.closed.entry((from, to)).or_insert((until, kind));
        if until > closure.0 {
            *closure = (until, kind);
        }
    }

    /// Whether a dial comes through: both directions are open.
    pub fn is_open(&mut self, now: Micros, from: usize, to: usize) -> bool {
        let closed = [(from, to), (to, from)].into_iter().filter_map(|way| self.closed.get(&way));
        let Some((_, kind)) = closed.copied().find(|(until, _)| *until > now) else { return true };
        self.tally.fired(kind);
        false
    }

    /// When a chunk that leaves now arrives, where the way takes `delay`.
    pub fn arrival(&mut self, now: Micros, from: usize, to: usize, delay: Micros) -> Micros {
        let mut at = now + delay;
        if let Some((until, kind)) = self.closed.get(&(from, to)).copied().filter(|(until, _)| *until > now) {
            self.tally.fired(kind);
            // It is sent again after pauses that grow.
            at = until + delay + self.chance.draw() % ((until - now) / 4 + 1);
        }
        for line in [self.lines[from], self.lines[to]] {
            if line.jitter > 0 {
                self.tally.fired(Kind::Jitter);
                at += self.chance.draw() % line.jitter;
            }
            at += self.resends(line, delay);
        }
        at
    }

    fn resends(&mut self, line: Line, delay: Micros) -> Micros {
        let wait = RESEND.max(3 * delay);
        let mut late = 0;
        for again in 0..RESENDS_MAX {
            if line.loss_percent == 0 || self.chance.below(100) >= line.loss_percent {
                break;
            }
            self.tally.fired(Kind::Loss);
            late += wait << again;
        }
        late
    }
}
