//! How much may be told: so much at once, and beyond that so much a second. Knows no peers.

use std::time::Duration;

use crate::time::Moment;

/// A measure of telling.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// What may be told at once, after a rest.
    pub at_once: u32,
    /// What a rest of a second is worth.
    pub per_second: u32,
}

/// What was told by that measure: a leaky bucket, kept as the moment at which it will have run dry.
#[derive(Clone, Copy, Debug)]
pub struct Paced {
    pace: Pace,
    empty: Moment,
}

impl Paced {
    /// Nothing was told yet.
    pub fn new(pace: Pace, now: Moment) -> Paced {
        Paced { pace, empty: now }
    }

    /// How much may be told now.
    pub fn left(&self, now: Moment) -> usize {
        let left = self.span(self.pace.at_once).saturating_sub(self.empty.since(now));
        usize::try_from(left.as_nanos() / self.span(1).as_nanos()).unwrap_or(usize::MAX)
    }

    /// So much was told; what goes beyond the measure is forgiven.
    pub fn spend(&mut self, now: Moment, count: usize) {
        let full = now.after(self.span(self.pace.at_once));
        let spent = self.span(u32::try_from(count).unwrap_or(self.pace.at_once).min(self.pace.at_once));
        self.empty = self.empty.max(now).after(spent).min(full);
    }

    /// When so much may be told, if nothing else is.
    pub fn when(&self, count: usize) -> Moment {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let empty = self.empty.since(Moment::START);
        let when = empty.saturating_sub(self.span(self.pace.at_once.saturating_sub(count)));
        Moment::START.after(when + Duration::from_micros(1)) // whatever was cut off
    }

    fn span(&self, count: u32) -> Duration {
        Duration::from_nanos(1_000_000_000 / u64::from(self.pace.per_second)) * count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { at_once: 100, per_second: 10 };

    fn at(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(millis))
    }

    #[test]
    fn so_much_is_told_at_once_and_then_so_much_a_second() {
        let mut paced = Paced::new(PACE, at(0));
        assert_eq!(paced.left(at(0)), 100);
        paced.spend(at(0), 95);
        assert_eq!((paced.left(at(0)), paced.left(at(1000))), (5, 15));
        assert_eq!(paced.when(15), at(1000).after(Duration::from_micros(1)));
        paced.spend(at(1000), 1000);
        assert_eq!((paced.left(at(1000)), paced.left(at(2000))), (0, 10), "what went beyond is forgiven");
        assert_eq!(paced.left(at(60_000)), 100, "a longer rest is worth no more");
    }
}
