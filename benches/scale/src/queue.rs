//! What will happen next in virtual time: a calendar of short slots, so that a million letters under way cost little.
//!
//! Knows nothing of what it holds. Things of one microsecond happen in the order in which they were put there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Virtual time, in microseconds since the world began.
pub type Micros = u64;

/// A virtual second.
pub const SECOND: Micros = 1_000_000;

/// A slot is 2^7 microseconds.
const SLOT_BITS: u32 = 7;
/// Two seconds of slots; what is further off waits in a heap.
const SLOTS: u64 = 1 << 14;

#[derive(Debug)]
struct Entry<T> {
    at: Micros,
    serial: u64,
    what: T,
}

impl<T> Entry<T> {
    fn key(&self) -> (Micros, u64) {
        (self.at, self.serial)
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// Everything to come. Invariant: `soon` holds what falls into the slot of now or before it, `slots` what falls into the
/// next [`SLOTS`], `far` the rest.
#[derive(Debug)]
pub struct Queue<T> {
    now: Micros,
    serial: u64,
    slot: u64,
    soon: BinaryHeap<Reverse<Entry<T>>>,
    slots: Vec<Vec<Entry<T>>>,
    slotted: usize,
    far: BinaryHeap<Reverse<Entry<T>>>,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue {
            now: 0,
            serial: 0,
            slot: 0,
            soon: BinaryHeap::new(),
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            slotted: 0,
            far: BinaryHeap::new(),
        }
    }
}

impl<T> Queue<T> {
    /// The moment that is.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Puts `what` at `at`, or now when that is past.
    pub fn at(&mut self, at: Micros, what: T) {
        self.serial += 1;
        let entry = Entry { at: at.max(self.now), serial: self.serial, what };
        let slot = entry.at >> SLOT_BITS;
        if slot <= self.slot {
            self.soon.push(Reverse(entry));
        } else if slot < self.slot + SLOTS {
            self.slots[place(slot)].push(entry);
            self.slotted += 1;
        } else {
            self.far.push(Reverse(entry));
        }
    }

    /// Puts `what` `span` from now.
    pub fn after(&mut self, span: Micros, what: T) {
        self.at(self.now + span, what);
    }

    /// The next thing not after `end`, time moving to it.
    pub fn next(&mut self, end: Micros) -> Option<T> {
        while self.soon.is_empty() {
            if (self.slotted == 0 && self.far.is_empty()) || (self.slot + 1) << SLOT_BITS > end {
                return None;
            }
            self.turn_over();
        }
        if self.soon.peek().is_some_and(|Reverse(entry)| entry.at > end) {
            return None;
        }
        let Reverse(entry) = self.soon.pop()?;
        self.now = entry.at;
        Some(entry.what)
    }

    fn turn_over(&mut self) {
        self.slot += 1;
        // Taken whole, so that the room it needed is given back: all slots at their fullest would be gigabytes.
        let entries = std::mem::take(&mut self.slots[place(self.slot)]);
        self.slotted -= entries.len();
        self.soon.extend(entries.into_iter().map(Reverse));
        while self.far.peek().is_some_and(|Reverse(entry)| entry.at >> SLOT_BITS <= self.slot) {
            self.soon.extend(self.far.pop());
        }
    }
}

fn place(slot: u64) -> usize {
    usize::try_from(slot % SLOTS).expect("below the number of slots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_happen_in_order_of_time_and_of_one_moment_as_they_were_put() {
        let mut queue = Queue::default();
        for (number, at) in [7, 5_000_000, 7, 130, 3, 60_000_000, 5_000_000].into_iter().enumerate() {
            queue.at(at, number);
        }
        let mut story = Vec::new();
        while let Some(number) = queue.next(Micros::MAX) {
            story.push(number);
            if number == 0 {
                queue.after(0, 100);
                queue.after(3 * SECOND, 101);
            }
        }
        assert_eq!(story, [4, 0, 2, 100, 3, 101, 1, 6, 5]);
    }

    #[test]
    fn nothing_happens_after_the_end() {
        let mut queue = Queue::default();
        queue.at(100, 'a');
        queue.at(2 * SECOND, 'b');
        assert_eq!(queue.next(SECOND), Some('a'));
        assert_eq!(queue.next(SECOND), None);
        assert_eq!(queue.next(2 * SECOND), Some('b'));
    }
}
