//! How fast bytes come and go: meters that look back, and buckets that hold to a limit.
//!
//! Knows numbers and moments, no peers.

use std::time::Duration;

use crate::time::Moment;

const SLOT: Duration = Duration::from_millis(250);
const SLOTS: usize = 80;
/// How far back a meter remembers: the 20 s over which tit for tat looks.
pub const MEMORY: Duration = Duration::from_secs(20);
const RATE_SLOTS: u32 = 8;
/// Over how long a meter measures a rate.
pub const RATE_SPAN: Duration = Duration::from_secs(2);

const _: () = assert!(SLOT.as_millis() * SLOTS as u128 == MEMORY.as_millis());
const _: () = assert!(SLOT.as_millis() * RATE_SLOTS as u128 == RATE_SPAN.as_millis());

/// Bytes of the last 20 s, in slots of a quarter second. Has slots only once it counted something: of two hundred links
/// few exchange blocks, and what the others cost is what a large swarm costs.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    slots: Option<Box<[u32; SLOTS]>>,
    newest: u64,
    began: Moment,
    total_bytes: u64,
}

impl Meter {
    /// Counts `bytes` that just passed.
    pub fn add(&mut self, now: Moment, bytes: u64) {
        let slot = slot_of(now);
        let slots = self.slots.get_or_insert_with(|| {
            self.began = now;
            Box::new([0; SLOTS])
        });
        let idle = slot.saturating_sub(self.newest).min(SLOTS as u64);
        for step in 1..=idle {
            slots[index(self.newest + step)] = 0;
        }
        self.newest = self.newest.max(slot);
        let current = &mut slots[index(self.newest)];
        // No link brings 4 GiB in a quarter second.
        *current = current.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.total_bytes += bytes;
    }

    /// Bytes since the beginning.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Bytes of the last 20 s.
    pub fn recent_bytes(&self, now: Moment) -> u64 {
        self.sum(now, SLOTS as u64)
    }

    /// Bytes a second over the last two seconds, or since the beginning where that is shorter.
    pub fn rate(&self, now: Moment) -> u64 {
        let bytes = self.sum(now, u64::from(RATE_SLOTS));
        let into_slot = Duration::from_micros(now.micros() % micros(SLOT));
        let window = SLOT * (RATE_SLOTS - 1) + into_slot;
        let span = window.min(now.since(self.began)).max(SLOT);
        bytes * 1_000_000 / micros(span)
    }

    fn sum(&self, now: Moment, slots: u64) -> u64 {
        let Some(kept) = &self.slots else { return 0 };
        let current = slot_of(now);
        let oldest = (current + 1).saturating_sub(slots);
        (oldest..=current.min(self.newest)).map(|slot| u64::from(kept[index(slot)])).sum()
    }
}

fn slot_of(now: Moment) -> u64 {
    now.micros() / micros(SLOT)
}

fn index(slot: u64) -> usize {
    usize::try_from(slot % SLOTS as u64).expect("below the number of slots")
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A limit in bytes a second. May be overdrawn by one block, and is then empty until that is paid back, so that
/// over time the limit is exact whatever the size of the blocks.
#[derive(Clone, Debug)]
pub struct Bucket {
    bytes_per_second: u64,
    /// In millionths of a byte: what a rate in bytes a second earns in a microsecond, without rounding.
    level: i128,
    filled: Moment,
}

/// What an idle limit saves up.
const SAVED: Duration = Duration::from_millis(100);
const BYTE: i128 = 1_000_000;

impl Bucket {
    /// A full bucket.
    pub fn new(bytes_per_second: u64) -> Bucket {
        let mut bucket =
            Bucket { bytes_per_second: bytes_per_second.max(1), level: 0, filled: Moment::START };
        bucket.level = bucket.earned(SAVED).max(BYTE);
        bucket
    }

    /// Whether something may pass now.
    pub fn is_open(&mut self, now: Moment) -> bool {
        let brim = self.earned(SAVED).max(BYTE);
        self.level = (self.level + self.earned(now.since(self.filled))).min(brim);
        self.filled = self.filled.max(now);
        self.level > 0
    }

    /// Counts what passed.
    pub fn spend(&mut self, bytes: u32) {
        self.level -= i128::from(bytes) * BYTE;
    }

    /// When something may pass again; none while it may.
    pub fn opens(&self) -> Option<Moment> {
        let debt = u64::try_from(-self.level).ok()?;
        let wait = debt / self.bytes_per_second + 1;
        Some(self.filled.after(Duration::from_micros(wait)))
    }

    fn earned(&self, span: Duration) -> i128 {
        i128::from(micros(span)) * i128::from(self.bytes_per_second)
    }
}

/// The limits of a process: shared by all its swarms.
#[derive(Clone, Debug, Default)]
pub struct Purse {
    /// Of what is sent.
    pub up: Option<Bucket>,
    /// Of what is asked for.
    pub down: Option<Bucket>,
}

impl Purse {
    /// Counts what was earned until now. True if a limit that was closed is open again.
    pub fn refill(&mut self, now: Moment) -> bool {
        let opens = |limit: &mut Option<Bucket>| {
            limit.as_mut().is_some_and(|bucket| bucket.opens().is_some() && bucket.is_open(now))
        };
        let (up, down) = (opens(&mut self.up), opens(&mut self.down));
        up || down
    }
}

/// Whether `limit` lets something pass now; no limit always does.
pub fn is_open(limit: &mut Option<Bucket>, now: Moment) -> bool {
    limit.as_mut().is_none_or(|bucket| bucket.is_open(now))
}

/// Counts what passed `limit`.
pub fn spend(limit: &mut Option<Bucket>, bytes: u32) {
    if let Some(bucket) = limit {
        bucket.spend(bytes);
    }
}

/// Bytes that pass in `span` at `rate` bytes a second.
pub fn within(span: Duration, rate: u64) -> u64 {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    rate.saturating_mul(millis) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(millis))
    }

    #[test]
    fn a_meter_forgets_what_is_older_than_twenty_seconds() {
        let mut meter = Meter::default();
        meter.add(at(0), 5);
        meter.add(at(10_000), 7);
        assert_eq!(meter.recent_bytes(at(19_000)), 12);
        assert_eq!(meter.recent_bytes(at(21_000)), 7);
        assert_eq!(meter.recent_bytes(at(60_000)), 0);
        assert_eq!(meter.total_bytes(), 12);
    }

    #[test]
    fn a_steady_stream_is_measured_at_its_rate() {
        let mut meter = Meter::default();
        for step in 0..100 {
            meter.add(at(step * 100), 100_000);
        }
        let rate = meter.rate(at(9_950));
        assert!((900_000..=1_100_000).contains(&rate), "{rate}");
        assert_eq!(meter.rate(at(30_000)), 0);
    }

    #[test]
    fn a_limit_is_exact_over_ten_seconds_whatever_the_block() {
        for block in [16_384, 262_144, 1_048_576_u32] {
            let mut bucket = Bucket::new(2_000_000);
            let (mut now, mut sent) = (Moment::START, 0_u64);
            while now < at(10_000) {
                if bucket.is_open(now) {
                    bucket.spend(block);
                    sent += u64::from(block);
                } else {
                    now = bucket.opens().expect("it is closed");
                }
            }
            let error = sent.abs_diff(20_000_000);
            assert!(error <= u64::from(block) + 200_000, "{block}: {sent}");
        }
    }

    #[test]
    fn a_limit_is_exact_however_often_it_is_looked_at() {
        let mut bucket = Bucket::new(700_000);
        let mut sent = 0_u64;
        for step in 0..5_000_000 {
            if bucket.is_open(Moment::START.after(Duration::from_micros(step * 2))) {
                bucket.spend(16_384);
                sent += 16_384;
            }
        }
        assert!(sent.abs_diff(7_000_000) <= 70_000 + 16_384, "{sent}");
    }

    #[test]
    fn a_closed_limit_opens_when_it_says() {
        let mut bucket = Bucket::new(1000);
        bucket.spend(5000);
        let opens = bucket.opens().expect("it is closed");
        assert!(!bucket.is_open(Moment::START.after(opens.since(Moment::START) - Duration::from_millis(2))));
        assert!(bucket.is_open(opens));
    }
}
