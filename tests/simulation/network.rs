//! Wires between machines: delay for each pair, shared uplinks and downlinks, order within a direction, and loss.
//! A frame is cut into chunks; an uplink sends the chunks of its lanes in turn. Knows no message.

mod harm;
#[cfg(test)]
mod tests;
mod weather;

use std::collections::VecDeque;
use std::net::SocketAddr;

use minibit::content::Block;
use minibit::ids::{Endpoint, LinkId, ShareId};
use minibit::seam::{Event, Payload};

use crate::queue::{Happening, Micros, Queue, SECOND, Seat, Tip};
use crate::tally::Kind;
pub use weather::Line;
use weather::Weather;

/// On a fast line; on a slow one a chunk takes about half a second, and is at least a packet.
const CHUNK_BYTES: u64 = 16 * 1024;
const PACKET_BYTES: u64 = 1_400;
const FIN_BYTES: u64 = 40;

/// A message under way.
#[derive(Debug)]
pub struct Frame {
    /// Its line, LF included; empty for the end of the stream.
    pub line: Vec<u8>,
    /// What follows the line.
    pub payload: Payload,
    /// Bytes in all, never 0.
    pub bytes: u64,
    /// The block that the sender is told was served.
    pub block: Option<Block>,
}

impl Frame {
    fn fin() -> Frame {
        Frame { line: Vec::new(), payload: Payload::None, bytes: FIN_BYTES, block: None }
    }

    fn is_fin(&self) -> bool {
        self.line.is_empty()
    }
}

/// What becomes of the bytes of a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They arrive.
    Sound,
    /// They vanish, and nobody is told.
    Hole,
    /// They arrive changed: the next frame is no message.
    Garbled,
    /// They arrive, and bits of the next payload are not what they were.
    Flipped,
    /// Were garbled already; the reader has given up.
    Deaf,
}

/// One end of a wire, and the lane away from it.
#[derive(Debug)]
struct End {
    seat: Seat,
    link: LinkId,
    connected_at: Micros,
    is_gone: bool,
    waiting: VecDeque<Frame>,
    head_sent_bytes: u64,
    is_queued: bool,
    last_arrival: Micros,
    landing: VecDeque<(u64, Option<Frame>)>,
    is_landing: bool,
    alive_at: Micros,
    /// Of the message under way on the lane, since when and how many bytes arrived.
    began: Option<Micros>,
    begun_bytes: u64,
    fate: Fate,
}

impl End {
    fn new(seat: Seat, link: LinkId, connected_at: Micros) -> End {
        End {
            seat,
            link,
            connected_at,
            is_gone: false,
            waiting: VecDeque::new(),
            head_sent_bytes: 0,
            is_queued: false,
            last_arrival: 0,
            landing: VecDeque::new(),
            is_landing: false,
            alive_at: 0,
            began: None,
            begun_bytes: 0,
            fate: Fate::Sound,
        }
    }
}

/// One machine's connection to the world.
#[derive(Debug)]
struct Pipe {
    up_rate: u64,
    down_rate: u64,
    distance: Micros,
    ready: VecDeque<Tip>,
    under_way: Option<(Tip, u64)>,
    down_ready: VecDeque<Tip>,
    down_busy: bool,
}

/// All wires, dead ones too.
#[derive(Debug, Default)]
pub struct Network {
    pipes: Vec<Pipe>,
    wires: Vec<[End; 2]>,
    /// Whether an uplink sends whole frames in the order they were given to it, as a router with a full queue does, so
    /// that who has more under way gets more of it; else its lanes take turns.
    pub is_one_queue: bool,
    /// Of the whole network, added to the distance of each pair by its own share.
    pub spread: Micros,
    /// Jitter, loss and partitions.
    pub weather: Weather,
}

fn span(bytes: u64, rate: u64) -> Micros {
    bytes * SECOND / rate
}

impl Network {
    /// Of no machine yet; its weather is drawn from this seed.
    pub fn new(seed: u64) -> Network {
        Network { weather: Weather::new(seed), ..Network::default() }
    }

    /// One machine more: bytes a second, and how far it is from the middle.
    pub fn join(&mut self, up_rate: u64, down_rate: u64, distance: Micros) {
        let (ready, down_ready) = (VecDeque::new(), VecDeque::new());
        let (under_way, down_busy) = (None, false);
        self.pipes.push(Pipe { up_rate, down_rate, distance, ready, under_way, down_ready, down_busy });
        self.weather.lines.push(Line::default());
    }

    /// From now on a machine's line carries so many bytes a second up and down.
    pub fn set_rates(&mut self, machine: usize, up_rate: u64, down_rate: u64) {
        (self.pipes[machine].up_rate, self.pipes[machine].down_rate) = (up_rate, down_rate);
    }

    /// One way between two machines; the same both ways.
    pub fn delay(&self, a: usize, b: usize) -> Micros {
        let own = if self.spread == 0 { 0 } else { (a * b * 7919 + a + b) as u64 % self.spread };
        if a == b { 100 } else { self.pipes[a].distance + self.pipes[b].distance + own }
    }

    /// Both ends of a new wire; `dialled` says how it came about.
    pub fn connect(
        &mut self,
        queue: &mut Queue,
        ends: [(Seat, LinkId, SocketAddr); 2],
        dialled: (ShareId, Endpoint),
    ) -> Tip {
        let [(from, from_link, from_address), (to, to_link, to_address)] = ends;
        let delay = self.delay(from.machine, to.machine);
        let (first, second) = (queue.now() + delay, queue.now() + 2 * delay);
        self.wires.push([End::new(from, from_link, first), End::new(to, to_link, second)]);
        let event = Event::Connected { link: from_link, remote: to_address, dialled: Some(dialled) };
        queue.at(first, Happening::Core(from, event));
        let event = Event::Connected { link: to_link, remote: from_address, dialled: None };
        queue.at(second, Happening::Core(to, event));
        Tip { wire: self.wires.len() - 1, end: 0 }
    }

    fn end(&mut self, tip: Tip) -> &mut End {
        &mut self.wires[tip.wire][tip.end]
    }

    /// Who sits at this end, under which link.
    pub fn who(&self, tip: Tip) -> (Seat, LinkId) {
        let end = &self.wires[tip.wire][tip.end];
        (end.seat, end.link)
    }

    /// Whether this end was not told that it is closed.
    pub fn is_open(&self, tip: Tip) -> bool {
        !self.wires[tip.wire][tip.end].is_gone
    }

    /// Every wire both of whose ends stand.
    pub fn standing(&self) -> Vec<usize> {
        let stands = |ends: &[End; 2]| ends.iter().all(|end| !end.is_gone);
        (0..self.wires.len()).filter(|&wire| stands(&self.wires[wire])).collect()
    }

    /// Queues a frame on its lane.
    pub fn send(&mut self, queue: &mut Queue, tip: Tip, frame: Frame) {
        let end = self.end(tip);
        if end.is_gone {
            return;
        }
        end.waiting.push_back(frame);
        let (machine, is_queued) = (end.seat.machine, end.is_queued);
        end.is_queued = true;
        if !is_queued || self.is_one_queue {
            self.pipes[machine].ready.push_back(tip);
        }
        self.start_chunk(queue, machine);
    }

    fn start_chunk(&mut self, queue: &mut Queue, machine: usize) {
        while self.pipes[machine].under_way.is_none() {
            let Some(tip) = self.pipes[machine].ready.pop_front() else { return };
            let end = self.end(tip);
            let Some(head) = end.waiting.front() else {
                end.is_queued = false;
                continue;
            };
            let left = head.bytes - end.head_sent_bytes;
            let pipe = &mut self.pipes[machine];
            let chunk = (pipe.up_rate / 2).clamp(PACKET_BYTES, CHUNK_BYTES);
            let bytes = if self.is_one_queue { left } else { chunk.min(left) };
            pipe.under_way = Some((tip, bytes));
            queue.after(span(bytes, pipe.up_rate), Happening::Uplinked(machine));
        }
    }

    /// The chunk under way has left.
    pub fn uplinked(&mut self, queue: &mut Queue, machine: usize) {
        if let Some((tip, bytes)) = self.pipes[machine].under_way.take() {
            self.end(tip).is_queued = false;
            if !self.end(tip).is_gone {
                self.launch(queue, tip, bytes);
            }
            let is_one_queue = self.is_one_queue;
            let end = self.end(tip);
            if !end.waiting.is_empty() && !end.is_queued && !is_one_queue {
                end.is_queued = true;
                self.pipes[machine].ready.push_back(tip);
            }
        }
        self.start_chunk(queue, machine);
    }

    fn launch(&mut self, queue: &mut Queue, tip: Tip, bytes: u64) {
        let (from, to) = (self.who(tip).0.machine, self.who(tip.across()).0.machine);
        let delay = self.delay(from, to);
        let arrival = self.weather.arrival(queue.now(), from, to, delay);
        let end = self.end(tip);
        end.head_sent_bytes += bytes;
        let is_whole = end.waiting.front().is_some_and(|head| head.bytes == end.head_sent_bytes);
        let frame = if is_whole { end.waiting.pop_front() } else { None };
        end.last_arrival = end.last_arrival.max(arrival);
        let arrival = end.last_arrival;
        if let Some(frame) = &frame {
            end.head_sent_bytes = 0;
            self.sent(queue, tip, frame);
        }
        queue.at(arrival, Happening::Arrived(tip, bytes, frame));
    }

    fn sent(&mut self, queue: &mut Queue, tip: Tip, frame: &Frame) {
        let (seat, link) = self.who(tip);
        if let Some(block) = frame.block {
            queue.after(0, Happening::Core(seat, Event::Served { link, block, sent: true }));
        }
        if frame.is_fin() {
            self.hang_up(queue, tip, 0);
        }
    }

    /// A chunk reaches the receiver's downlink and waits its turn among the lanes.
    pub fn arrived(&mut self, queue: &mut Queue, tip: Tip, bytes: u64, frame: Option<Frame>) {
        let receiver = self.who(tip.across()).0.machine;
        let lane = self.end(tip);
        if lane.fate == Fate::Hole {
            return self.weather.tally.fired(Kind::BlackHole);
        }
        lane.landing.push_back((bytes, frame));
        if !std::mem::replace(&mut lane.is_landing, true) {
            self.pipes[receiver].down_ready.push_back(tip);
        }
        self.start_landing(queue, receiver);
    }

    fn start_landing(&mut self, queue: &mut Queue, machine: usize) {
        if self.pipes[machine].down_busy {
            return;
        }
        let Some(tip) = self.pipes[machine].down_ready.pop_front() else { return };
        let (bytes, frame) = self.end(tip).landing.pop_front().expect("a lane in turn has a chunk");
        self.end(tip).begun_bytes += bytes;
        let pipe = &mut self.pipes[machine];
        pipe.down_busy = true;
        queue.after(span(bytes, pipe.down_rate), Happening::Landed(tip, frame));
    }

    fn next_landing(&mut self, queue: &mut Queue, tip: Tip) {
        let receiver = self.who(tip.across()).0.machine;
        self.pipes[receiver].down_busy = false;
        if self.end(tip).landing.is_empty() {
            self.end(tip).is_landing = false;
        } else {
            self.pipes[receiver].down_ready.push_back(tip);
        }
        self.start_landing(queue, receiver);
    }

    /// A chunk is read: a frame that may be understood, or nothing more than a sign of life, which is passed on here.
    pub fn landed(&mut self, queue: &mut Queue, tip: Tip, frame: Option<Frame>) -> Option<Frame> {
        self.next_landing(queue, tip);
        let fate = self.end(tip).fate;
        let receiver = self.end(tip.across());
        if receiver.is_gone || fate == Fate::Deaf {
            return None;
        }
        let (seat, link) = (receiver.seat, receiver.link);
        let Some(mut frame) = frame else {
            self.came_to_life(queue, tip);
            return None;
        };
        let lane = self.end(tip);
        (lane.began, lane.begun_bytes) = (None, 0);
        match fate {
            _ if frame.is_fin() => self.hang_up(queue, tip.across(), 0),
            Fate::Garbled => self.garbled(queue, tip, seat, link),
            Fate::Flipped => {
                self.flip(tip, &mut frame.payload);
                return Some(frame);
            }
            _ => return Some(frame),
        }
        None
    }

    /// A part of a message arrived: a sign of life, unless it crawls.
    fn came_to_life(&mut self, queue: &mut Queue, tip: Tip) {
        if self.crawls(queue.now(), tip) {
            return self.cut(queue, tip.across());
        }
        let receiver = self.end(tip.across());
        if queue.now() >= receiver.alive_at + SECOND {
            receiver.alive_at = queue.now();
            queue.after(0, Happening::Core(receiver.seat, Event::Alive { link: receiver.link }));
        }
    }

    /// Says the last word, if any, then closes, within a second.
    pub fn close(&mut self, queue: &mut Queue, tip: Tip, farewell: Option<Frame>) {
        if let Some(frame) = farewell {
            self.send(queue, tip, frame);
        }
        self.send(queue, tip, Frame::fin());
        queue.after(SECOND, Happening::CloseDue(tip));
    }

    /// The second is over: what was not said stays unsaid.
    pub fn close_due(&mut self, queue: &mut Queue, tip: Tip) {
        if !self.end(tip).is_gone {
            self.cut(queue, tip);
        }
    }
}
