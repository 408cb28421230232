//! Our requests of one peer: how many bytes are under way, how large the next one is, and when it is waited for too long.
//!
//! Knows blocks and moments; neither what the peer holds nor whom else we ask.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::content::geometry::BLOCK_BYTES_MAX;
use crate::content::{Block, LEAF_BYTES};
use crate::time::Moment;

use super::rate::{Meter, RATE_SPAN, within};

/// Our requests that wait with one peer (`wire.md`).
pub const ASKED_MAX: usize = 500;
/// Bytes asked for at once before anything is known of a peer's speed.
const WINDOW_FIRST: u64 = 256 * 1024;
const WINDOW_MIN: u64 = 2 * LEAF_BYTES as u64;
const WINDOW_MAX: u64 = 16 * 1024 * 1024;
const BLOCK_FIRST: u32 = 64 * 1024;
/// What is under way with a peer takes about so long, beside the time of a single block on an idle line: long enough for
/// its sender never to run dry, and so short that news and rare pieces do not wait behind it. Simulated with 8 to 64 peers
/// at 50 Mbit/s: three times as much ends later, and wastes more at the end.
const UNDER_WAY: Duration = Duration::from_millis(400);
/// And so much more, in bytes: where many draw on one line, each gets of it as it has under way, and without this the
/// slower would fall ever further behind.
const UNDER_WAY_BESIDE: u64 = 64 * 1024;
/// Ask for no more than about 2 s of a peer's rate (`wire.md`).
const UNDER_WAY_MAX: Duration = Duration::from_secs(2);
/// A block is taken over where it would come so many times sooner, and so much: simulated with less, more is sent twice than
/// is gained.
const TAKE_OVER_RATIO: u32 = 2;
const TAKE_OVER_GAIN: Duration = Duration::from_millis(300);
/// A block is about this much of a second at the peer's speed.
const BLOCKS_PER_SECOND: u64 = 16;

/// How long a peer may owe us everything before its blocks are asked for elsewhere, at least and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));
/// Before the first block has come.
const PATIENCE_FIRST: Duration = Duration::from_secs(20);
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Ask {
    at: Moment,
    /// The how-many-eth it was.
    number: u64,
    /// False once we no longer wait for it: it still is owed an answer.
    awaited: bool,
}

/// How an answer relates to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is waited for.
    Awaited,
    /// It was asked once, and is no longer waited for.
    Late,
    /// It was never asked on this link.
    Unasked,
}

/// What one peer owes us.
#[derive(Debug)]
pub struct Pipe {
    /// Payload received.
    pub down: Meter,
    /// It let everything wait too long; asked for one leaf at a time until it delivers.
    pub is_snubbed: bool,
    asked: BTreeMap<Block, Ask>,
    asked_ever: u64,
    asked_bytes: u64,
    awaited_count: usize,
    delivered: Moment,
    service_mean: Duration,
    service_deviation: Duration,
    /// The shortest time that a block took: about a round trip.
    service_least: Duration,
    /// Bytes a second that it brought, as of the last block.
    known_rate: u64,
    /// When it was last asked for something after it had nothing to do.
    busy_since: Moment,
    pause: Duration,
    paused_until: Moment,
}

impl Pipe {
    /// Nothing asked for yet.
    pub fn new(now: Moment) -> Pipe {
        Pipe {
            down: Meter::default(),
            is_snubbed: false,
            asked: BTreeMap::new(),
            asked_ever: 0,
            asked_bytes: 0,
            awaited_count: 0,
            delivered: now,
            service_mean: Duration::ZERO,
            service_deviation: Duration::ZERO,
            service_least: UNDER_WAY_MAX,
            known_rate: 0,
            busy_since: now,
            pause: PAUSE_FIRST,
            paused_until: Moment::START,
        }
    }

    /// How many bytes the next request to it may have; none if it may not be asked now.
    pub fn appetite(&self, now: Moment) -> Option<u32> {
        let is_full = self.asked.len() >= ASKED_MAX || (self.is_snubbed && self.awaited_count > 0);
        let may_ask = now >= self.paused_until && !is_full && self.asked_bytes < self.window_bytes();
        may_ask.then(|| self.block_bytes(now))
    }

    /// Bytes to have under way: opens by what arrives, like TCP's slow start, up to what the peer delivers in a while.
    fn window_bytes(&self) -> u64 {
        let brought = self.down.total_bytes();
        if brought < WINDOW_FIRST {
            return WINDOW_FIRST;
        }
        let wanted = within(UNDER_WAY + self.service_least, self.known_rate) + UNDER_WAY_BESIDE;
        let steady = wanted.min(within(UNDER_WAY_MAX, self.known_rate));
        steady.min(WINDOW_FIRST + brought).clamp(WINDOW_MIN, WINDOW_MAX)
    }

    fn block_bytes(&self, now: Moment) -> u32 {
        if self.is_snubbed {
            return LEAF_BYTES;
        }
        if self.down.total_bytes() == 0 {
            return BLOCK_FIRST;
        }
        let share =
            (self.rate(now) / BLOCKS_PER_SECOND).clamp(u64::from(LEAF_BYTES), u64::from(BLOCK_BYTES_MAX));
        u32::try_from(share.next_power_of_two()).expect("at most a mebibyte, a power of two")
    }

    /// Notes a request of ours.
    pub fn ask(&mut self, now: Moment, block: Block) {
        if self.awaited_count == 0 {
            self.busy_since = now;
            self.delivered = now;
        }
        self.asked_ever += 1;
        self.asked.insert(block, Ask { at: now, number: self.asked_ever, awaited: true });
        self.asked_bytes += u64::from(block.length);
        self.awaited_count += 1;
    }

    /// Whether `block` is asked of it and not answered yet.
    pub fn is_asked(&self, block: Block) -> bool {
        self.asked.contains_key(&block)
    }

    /// It answered `block`, with bytes or without.
    pub fn answered(&mut self, block: Block) -> Answer {
        match self.asked.remove(&block) {
            Some(Ask { awaited: true, .. }) => {
                self.asked_bytes -= u64::from(block.length);
                self.awaited_count -= 1;
                Answer::Awaited
            }
            Some(_) => Answer::Late,
            None => Answer::Unasked,
        }
    }

    /// A block arrived: learns how long one takes, and how many come. Call it before `answered`.
    pub fn delivered(&mut self, now: Moment, block: Block) {
        if let Some(ask) = self.asked.get(&block) {
            let took = now.since(ask.at);
            let off = took.abs_diff(self.service_mean);
            // Jacobson and Karels 1988, as TCP smooths its round trip.
            self.service_deviation = (self.service_deviation * 3 + off) / 4;
            self.service_mean = (self.service_mean * 7 + took) / 8;
            self.service_least = self.service_least.min(took);
        }
        self.down.add(now, u64::from(block.length));
        self.known_rate = self.rate(now);
        self.delivered = now;
        self.is_snubbed = false;
        self.pause = PAUSE_FIRST;
    }

    /// It refused a request: it is not asked again before a pause that grows. Refusals that come in one pause are one.
    pub fn refused(&mut self, now: Moment) {
        if now >= self.paused_until {
            self.paused_until = now.after(self.pause);
            self.pause = (self.pause * 2).min(PAUSE_MAX);
        }
    }

    /// We no longer wait for `block` from it; it still owes an answer.
    pub fn give_up(&mut self, block: Block) {
        if let Some(ask) = self.asked.get_mut(&block).filter(|ask| ask.awaited) {
            ask.awaited = false;
            self.asked_bytes -= u64::from(block.length);
            self.awaited_count -= 1;
        }
    }

    /// Everything we wait for from it.
    pub fn awaited(&self) -> Vec<Block> {
        self.asked.iter().filter(|(_, ask)| ask.awaited).map(|(block, _)| *block).collect()
    }

    /// How long it needs at its rate of late for what it is asked for; nothing, where it never had time to show a rate.
    pub fn queue(&self, now: Moment) -> Duration {
        if self.down.total_bytes() == 0 { Duration::ZERO } else { self.time_for(self.asked_bytes, now) }
    }

    /// Whether it would be done with a block of so many bytes, beside all it is asked for, so much sooner than a queue ends
    /// that the block is worth taking over. Who never delivered may try one.
    pub fn is_quicker(&self, bytes: u32, queue: Duration, now: Moment) -> bool {
        let own = self.time_for(self.asked_bytes + u64::from(bytes), now);
        let is_known = self.down.total_bytes() > 0 || self.is_idle();
        is_known && own * TAKE_OVER_RATIO + self.service_least + TAKE_OVER_GAIN < queue
    }

    /// Bytes a second that it brings of late. What was not asked for could not come: one that rested is known as it was.
    fn rate(&self, now: Moment) -> u64 {
        let of_late = self.down.rate(now);
        let rests = self.is_idle() || now.since(self.busy_since) < RATE_SPAN;
        if rests { of_late.max(self.known_rate) } else { of_late }
    }

    fn time_for(&self, bytes: u64, now: Moment) -> Duration {
        let rate = self.rate(now).max(u64::from(LEAF_BYTES));
        Duration::from_millis(bytes.saturating_mul(1_000) / rate)
    }

    /// What it was asked for last of all that we wait for.
    pub fn asked_last(&self) -> Option<Block> {
        let awaited = self.asked.iter().filter(|(_, ask)| ask.awaited);
        awaited.max_by_key(|(_, ask)| ask.number).map(|(block, _)| *block)
    }

    /// Whether it owes us something and let us wait too long: mean and four deviations of its usual time, within bounds.
    pub fn is_overdue(&self, now: Moment) -> bool {
        let usual = self.service_mean + self.service_deviation * 4;
        let patience =
            if self.down.total_bytes() == 0 { PATIENCE_FIRST } else { usual.clamp(PATIENCE.0, PATIENCE.1) };
        self.awaited_count > 0 && now.since(self.delivered) >= patience
    }

    /// A long message is on its way, or we are the ones who do not read: it is not overdue.
    pub fn is_alive(&mut self, now: Moment) {
        self.delivered = now;
    }

    /// Whether nothing is waited for from it.
    pub fn is_idle(&self) -> bool {
        self.awaited_count == 0
    }
}

#[cfg(test)]
mod tests;
