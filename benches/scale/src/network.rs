//! A lean model of the network: bytes are counted, packets are not. Knows no message.
//!
//! - **Uplinks** send the lanes that have something to say in turn, a chunk of at most 16 KiB each: equal shares, as
//!   concurrent TCP streams come to, within a chunk.
//! - **Downlinks** are booked in the order in which chunks leave their uplinks. Where more comes than fits, a backlog
//!   grows to [`STANDING`] and the lanes that lead there are held, so that their uplinks serve others meanwhile: what TCP
//!   does by its window. Together the two come near max-min fairness at a constant cost a chunk.
//! - **Order** within a lane is kept. A short message on a lane with nothing else to say waits for no chunk of its own,
//!   but behind what already stands in the router's queue: up to [`STANDING`] where the uplink is busy. Where two such of
//!   one lane still wait to leave, the next goes along in the packet of the last, as Linux' "TCP small queues" make it.
//! - **Overhead** is that of TCP over Ethernet: headers on what is sent, acknowledgements on the other side's uplink.
//!   Slow start and loss are not modelled.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crate::queue::{Micros, Queue, SECOND};

const CHUNK_BYTES: u64 = 16 * 1024;
/// Longer messages take turns with everyone.
const SHORT_BYTES_MAX: u64 = 1_448;
/// Ethernet, IP and TCP with time stamps.
const HEADER_BYTES: u64 = 66;
/// One acknowledgement for every two full packets.
const PACKET_PAYLOAD_BYTES: u64 = 1_448;
/// What stands in a router's queue when a stream that fills it goes through: common drop-tail queues hold about this.
const STANDING: Nanos = 100_000_000;

type Nanos = u64;

/// A direction of a connection; `lane ^ 1` is the other.
pub type LaneId = u32;

/// What the network puts into the queue for itself and its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due<F> {
    /// A chunk left this machine: call [`Network::uplinked`].
    Uplinked(u32),
    /// A downlink has room again: call [`Network::released`].
    Released(u32),
    /// A whole frame arrived.
    Landed(LaneId, F),
    /// Part of a long frame arrived.
    Alive(LaneId),
}

/// One machine's connection to the world.
#[derive(Debug)]
struct Line {
    up_rate: u64,
    down_rate: u64,
    distance: Nanos,
    up_free: Nanos,
    down_free: Nanos,
    ready: VecDeque<LaneId>,
    under_way: Option<(LaneId, u64)>,
    waiting_bytes: u64,
    held: VecDeque<LaneId>,
    release_is_due: bool,
    sent_bytes: u64,
}

#[derive(Debug)]
struct Lane<F> {
    machine: u32,
    is_open: bool,
    /// In its uplink's round, under way or held.
    takes_turns: bool,
    waiting: VecDeque<(u64, F)>,
    waiting_bytes: u64,
    head_sent_bytes: u64,
    /// When the last two packets of short messages leave, and what is in the last.
    leaving: [Nanos; 2],
    packet_bytes: u64,
    last_landing: Nanos,
    alive_at: Micros,
}

/// All lines and lanes.
#[derive(Debug)]
pub struct Network<F> {
    lines: Vec<Line>,
    lanes: Vec<Lane<F>>,
}

fn span(bytes: u64, rate: u64) -> Nanos {
    bytes * 1_000_000_000 / rate
}

fn nanos(at: Micros) -> Nanos {
    at * 1_000
}

fn micros(at: Nanos) -> Micros {
    at.div_ceil(1_000)
}

/// Bytes on the wire of so many of a stream.
fn framed(bytes: u64) -> u64 {
    bytes + bytes * HEADER_BYTES / PACKET_PAYLOAD_BYTES
}

fn index(number: u32) -> usize {
    number as usize
}

impl<F> Network<F> {
    /// Nobody in it.
    pub fn new() -> Network<F> {
        Network { lines: Vec::new(), lanes: Vec::new() }
    }

    /// One machine more: bytes a second, and microseconds to the middle of the network.
    pub fn join(&mut self, up_rate: u64, down_rate: u64, distance: Micros) {
        self.lines.push(Line {
            up_rate,
            down_rate,
            distance: nanos(distance),
            up_free: 0,
            down_free: 0,
            ready: VecDeque::new(),
            under_way: None,
            waiting_bytes: 0,
            held: VecDeque::new(),
            release_is_due: false,
            sent_bytes: 0,
        });
    }

    /// A connection: the lane away from `from`; `lane ^ 1` leads back.
    pub fn connect(&mut self, from: u32, to: u32) -> LaneId {
        let lane = u32::try_from(self.lanes.len()).expect("fewer than 2^32 lanes");
        for machine in [from, to] {
            self.lanes.push(Lane {
                machine,
                is_open: true,
                takes_turns: false,
                waiting: VecDeque::new(),
                waiting_bytes: 0,
                head_sent_bytes: 0,
                leaving: [0; 2],
                packet_bytes: 0,
                last_landing: 0,
                alive_at: 0,
            });
        }
        lane
    }

    /// Whose words this lane carries.
    pub fn speaker(&self, lane: LaneId) -> u32 {
        self.lanes[index(lane)].machine
    }

    /// Whether something may still be said on this lane.
    pub fn is_open(&self, lane: LaneId) -> bool {
        self.lanes[index(lane)].is_open
    }

    /// One way between two machines.
    pub fn delay(&self, one: u32, other: u32) -> Micros {
        micros(self.distance(one, other))
    }

    fn distance(&self, one: u32, other: u32) -> Nanos {
        self.lines[index(one)].distance + self.lines[index(other)].distance
    }

    /// Bytes that left a machine, headers included.
    pub fn sent_bytes(&self, machine: u32) -> u64 {
        self.lines[index(machine)].sent_bytes
    }

    /// What a machine can send, bytes a second.
    pub fn up_rate(&self, machine: u32) -> u64 {
        self.lines[index(machine)].up_rate
    }

    /// Bytes that left all machines, headers included.
    pub fn all_sent_bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.sent_bytes).sum()
    }

    /// Says a frame of so many bytes.
    pub fn send<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, lane: LaneId, bytes: u64, frame: F) {
        let it = &mut self.lanes[index(lane)];
        if !it.is_open {
            return;
        }
        if it.waiting.is_empty() && bytes <= SHORT_BYTES_MAX {
            return self.slip(queue, lane, bytes, frame);
        }
        it.waiting.push_back((bytes, frame));
        it.waiting_bytes += bytes;
        let (machine, takes_turns) = (it.machine, std::mem::replace(&mut it.takes_turns, true));
        let line = &mut self.lines[index(machine)];
        line.waiting_bytes += bytes;
        if !takes_turns {
            line.ready.push_back(lane);
        }
        self.start(queue, machine);
    }

    /// A short message on a quiet lane: takes its bytes of the uplink, and waits in the router's queue.
    fn slip<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, lane: LaneId, bytes: u64, frame: F) {
        let now = nanos(queue.now());
        let (from, to) = self.ends(lane);
        let distance = self.distance(from, to);
        let it = &mut self.lanes[index(lane)];
        let joins = it.leaving[0] > now && it.packet_bytes + bytes <= PACKET_PAYLOAD_BYTES;
        it.packet_bytes = if joins { it.packet_bytes + bytes } else { bytes };
        let bytes = if joins { bytes } else { bytes + HEADER_BYTES };
        let line = &mut self.lines[index(from)];
        let standing = span(line.waiting_bytes, line.up_rate).min(STANDING);
        line.up_free = line.up_free.max(now) + span(bytes, line.up_rate);
        line.sent_bytes += bytes;
        let it = &mut self.lanes[index(lane)];
        if !joins {
            it.leaving[0] = it.leaving[1];
        }
        it.leaving[1] = line.up_free;
        let arrival = line.up_free + standing + distance;
        let line = &mut self.lines[index(to)];
        let landing = arrival + line.down_free.saturating_sub(arrival).min(STANDING);
        line.down_free = line.down_free.max(now) + span(bytes, line.down_rate);
        self.land(queue, lane, landing, frame);
    }

    fn land<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, lane: LaneId, landing: Nanos, frame: F) {
        let it = &mut self.lanes[index(lane)];
        it.last_landing = it.last_landing.max(landing);
        queue.at(micros(it.last_landing), Due::Landed(lane, frame).into());
    }

    fn ends(&self, lane: LaneId) -> (u32, u32) {
        (self.speaker(lane), self.speaker(lane ^ 1))
    }

    /// Begins the next chunk of a machine, unless one is under way.
    fn start<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, machine: u32) {
        let now = nanos(queue.now());
        while self.lines[index(machine)].under_way.is_none() {
            let Some(lane) = self.lines[index(machine)].ready.pop_front() else { return };
            if self.lanes[index(lane)].waiting.is_empty() {
                self.lanes[index(lane)].takes_turns = false;
                continue;
            }
            let (from, to) = self.ends(lane);
            if self.lines[index(to)].down_free > now + self.distance(from, to) + STANDING {
                self.hold(queue, lane, to);
                continue;
            }
            let bytes = CHUNK_BYTES.min(self.lanes[index(lane)].waiting_bytes);
            let line = &mut self.lines[index(machine)];
            line.under_way = Some((lane, bytes));
            line.up_free = line.up_free.max(now) + span(framed(bytes), line.up_rate);
            queue.at(micros(line.up_free), Due::Uplinked(machine).into());
        }
    }

    fn hold<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, lane: LaneId, to: u32) {
        self.lines[index(to)].held.push_back(lane);
        self.release_later(queue, to);
    }

    fn release_later<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, machine: u32) {
        let line = &mut self.lines[index(machine)];
        if !std::mem::replace(&mut line.release_is_due, true) {
            let half_empty = line.down_free.saturating_sub(STANDING / 2);
            queue.at(micros(half_empty).max(queue.now() + 1), Due::Released(machine).into());
        }
    }

    /// Lets as many held lanes go on as fill half a standing queue.
    pub fn released<T: From<Due<F>>>(&mut self, queue: &mut Queue<T>, machine: u32) {
        let line = &mut self.lines[index(machine)];
        line.release_is_due = false;
        let room = line.down_rate * (STANDING / 2) / 1_000_000_000 / CHUNK_BYTES;
        let count = usize::try_from(room.max(1)).unwrap_or(usize::MAX).min(line.held.len());
        let lanes: Vec<LaneId> = line.held.drain(..count).collect();
        for lane in lanes {
            let speaker = self.speaker(lane);
            self.lines[index(speaker)].ready.push_back(lane);
            self.start(queue, speaker);
        }
        if !self.lines[index(machine)].held.is_empty() {
            self.release_later(queue, machine);
        }
    }

    /// The chunk under way has left; `left` is told of each frame whose last byte was in it.
    pub fn uplinked<T: From<Due<F>>>(
        &mut self,
        queue: &mut Queue<T>,
        machine: u32,
        left: impl FnMut(LaneId, &F),
    ) {
        let Some((lane, bytes)) = self.lines[index(machine)].under_way.take() else { return };
        self.launch(queue, lane, bytes, left);
        if self.lanes[index(lane)].waiting.is_empty() {
            self.lanes[index(lane)].takes_turns = false;
        } else {
            self.lines[index(machine)].ready.push_back(lane);
        }
        self.start(queue, machine);
    }

    fn launch<T: From<Due<F>>>(
        &mut self,
        queue: &mut Queue<T>,
        lane: LaneId,
        bytes: u64,
        mut left: impl FnMut(LaneId, &F),
    ) {
        let landing = self.book(queue.now(), lane, bytes);
        let mut unspent = bytes;
        while let Some((frame_bytes, frame)) = self.lanes[index(lane)].waiting.pop_front() {
            let it = &mut self.lanes[index(lane)];
            let rest = frame_bytes - it.head_sent_bytes;
            if rest > unspent {
                it.head_sent_bytes += unspent;
                it.waiting.push_front((frame_bytes, frame));
                break;
            }
            unspent -= rest;
            it.head_sent_bytes = 0;
            left(lane, &frame);
            self.land(queue, lane, landing, frame);
        }
        let it = &mut self.lanes[index(lane)];
        if it.head_sent_bytes > 0 && micros(landing) >= it.alive_at + SECOND {
            it.alive_at = micros(landing);
            queue.at(micros(landing), Due::Alive(lane).into());
        }
    }

    /// Counts a chunk on the uplink that it left, the downlink it goes to, and the uplink of its acknowledgements.
    fn book(&mut self, now: Micros, lane: LaneId, bytes: u64) -> Nanos {
        let (from, to) = self.ends(lane);
        let arrival = nanos(now) + self.distance(from, to);
        self.lanes[index(lane)].waiting_bytes -= bytes;
        let line = &mut self.lines[index(from)];
        line.waiting_bytes -= bytes;
        line.sent_bytes += framed(bytes);
        let line = &mut self.lines[index(to)];
        line.down_free = line.down_free.max(arrival) + span(framed(bytes), line.down_rate);
        let acknowledgements = bytes * HEADER_BYTES / (2 * PACKET_PAYLOAD_BYTES);
        line.up_free = line.up_free.max(nanos(now)) + span(acknowledgements, line.up_rate);
        line.sent_bytes += acknowledgements;
        line.down_free
    }

    /// Nothing more is said on this lane after `last`. What waits and `is_vain` is dropped, but for what is begun.
    pub fn close<T: From<Due<F>>>(
        &mut self,
        queue: &mut Queue<T>,
        lane: LaneId,
        last: Vec<(u64, F)>,
        is_vain: impl Fn(&F) -> bool,
    ) {
        let it = &mut self.lanes[index(lane)];
        let begun = it.takes_turns;
        let waiting = std::mem::take(&mut it.waiting).into_iter().enumerate();
        it.waiting = waiting
            .filter(|(place, (_, frame))| (begun && *place == 0) || !is_vain(frame))
            .map(|(_, entry)| entry)
            .collect();
        self.recount(lane);
        for (bytes, frame) in last {
            self.send(queue, lane, bytes, frame);
        }
        self.lanes[index(lane)].is_open = false;
    }

    fn recount(&mut self, lane: LaneId) {
        let it = &mut self.lanes[index(lane)];
        let bytes: u64 = it.waiting.iter().map(|(bytes, _)| bytes).sum::<u64>() - it.head_sent_bytes;
        let line = &mut self.lines[index(it.machine)];
        // The chunk under way may have been cut shorter than it was.
        if let Some((under_way, chunk)) = &mut line.under_way
            && *under_way == lane
        {
            *chunk = bytes.min(*chunk);
        }
        line.waiting_bytes -= it.waiting_bytes - bytes;
        it.waiting_bytes = bytes;
    }
}
