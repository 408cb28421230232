//! How wires end before their time, and how they are harmed without ending.

use minibit::ids::LinkId;
use minibit::seam::{Event, Payload};
use minibit::wire::WireError;

use super::{Fate, Network};
use crate::queue::{Happening, Micros, Queue, SECOND, Seat, Tip};
use crate::tally::Kind;
use crate::world::spoil;

/// A message under way must have come at so many bytes a second once it is so old (`wire.md`).
const CRAWL: (Micros, u64) = (20 * SECOND, 1024);

impl Network {
    /// The connection dies at `tip`; the other end hears of it in its own time.
    pub fn cut(&mut self, queue: &mut Queue, tip: Tip) {
        let span = self.news_span(queue, tip);
        self.hang_up(queue, tip, 0);
        self.hang_up(queue, tip.across(), span);
    }

    /// The direction away from `tip` ends; who reads there gives up the whole connection, which the other hears of.
    pub fn half_close(&mut self, queue: &mut Queue, tip: Tip) {
        let there = self.news_span(queue, tip);
        let back = self.news_span(queue, tip.across());
        self.hang_up(queue, tip.across(), there);
        self.hang_up(queue, tip, there + back);
    }

    /// How long it takes until the other side can hear what happened at `tip`.
    fn news_span(&mut self, queue: &Queue, tip: Tip) -> Micros {
        let (from, to) = (self.who(tip).0.machine, self.who(tip.across()).0.machine);
        let delay = self.delay(from, to);
        self.weather.arrival(queue.now(), from, to, delay) - queue.now()
    }

    /// This end is told; what it still had to say is lost.
    pub fn hang_up(&mut self, queue: &mut Queue, tip: Tip, span: Micros) {
        let end = self.end(tip);
        if !end.is_gone {
            end.is_gone = true;
            end.waiting.clear();
            end.head_sent_bytes = 0;
            let (at, closed) = (end.connected_at + 1, Event::Closed { link: end.link });
            let happening = Happening::Core(end.seat, closed);
            queue.at(at.max(queue.now() + span), happening);
        }
    }

    /// What becomes of the bytes of this lane from now on, unless it is past harm: a stream that lost bytes stays so.
    pub fn doom(&mut self, tip: Tip, fate: Fate) {
        let lane = self.end(tip);
        if matches!(lane.fate, Fate::Sound | Fate::Flipped) {
            lane.fate = fate;
        }
    }

    /// A machine's process ends: the others are told by its system, or, when the machine vanished, by nobody.
    pub fn lose_machine(&mut self, queue: &mut Queue, machine: usize, is_silent: bool) {
        for tip in self.tips_of(machine) {
            self.hang_up(queue, tip, 0);
            if is_silent {
                self.doom(tip.across(), Fate::Hole);
            } else {
                let span = self.news_span(queue, tip);
                self.hang_up(queue, tip.across(), span);
            }
        }
    }

    /// A machine went to another address: nothing comes through on what it had, and it is told, or finds out.
    pub fn strand_machine(&mut self, queue: &mut Queue, machine: usize, is_told: bool) {
        for tip in self.tips_of(machine) {
            self.doom(tip, Fate::Hole);
            self.doom(tip.across(), Fate::Hole);
            if is_told {
                self.hang_up(queue, tip, 0);
            }
        }
    }

    /// Every end of this machine that was not told that it is closed.
    fn tips_of(&self, machine: usize) -> Vec<Tip> {
        let tips = (0..self.wires.len()).flat_map(|wire| [Tip { wire, end: 0 }, Tip { wire, end: 1 }]);
        tips.filter(|tip| self.who(*tip).0.machine == machine && self.is_open(*tip)).collect()
    }

    /// Whether the message under way on this lane came so slowly that its reader gives up.
    pub(super) fn crawls(&mut self, now: Micros, tip: Tip) -> bool {
        let lane = self.end(tip);
        let age = now - *lane.began.get_or_insert(now);
        age >= CRAWL.0 && lane.begun_bytes < age / SECOND * CRAWL.1
    }

    /// Changes bits of a payload on this lane, once; a frame without one passes as it is.
    pub(super) fn flip(&mut self, tip: Tip, payload: &mut Payload) {
        let weather = &mut self.weather;
        match payload {
            Payload::Digests(leaves) if !leaves.is_empty() => spoil(leaves, &mut weather.chance),
            Payload::Bytes(bytes) if !bytes.is_empty() => {
                let at = weather.chance.below(bytes.len());
                bytes[at] ^= 1;
            }
            _ => return,
        }
        weather.tally.fired(Kind::FlippedPayload);
        self.end(tip).fate = Fate::Sound;
    }

    /// Who reads a lane whose line is no message any more is told so.
    pub(super) fn garbled(&mut self, queue: &mut Queue, tip: Tip, seat: Seat, link: LinkId) {
        self.end(tip).fate = Fate::Deaf;
        self.weather.tally.fired(Kind::GarbledLine);
        let error = WireError::Malformed("garbled on the way".to_owned());
        queue.after(0, Happening::Core(seat, Event::Violated { link, error }));
    }
}
