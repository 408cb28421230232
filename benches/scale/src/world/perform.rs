//! How each action of a core is performed and answered.

use std::collections::BTreeMap;
use std::rc::Rc;

use minibit::content::PieceSet;
use minibit::ids::LinkId;
use minibit::seam::{Action, Event, Payload};
use minibit::wire::Message;

use super::{Frame, Happening, World, lane, link, machine_at};
use crate::network::LaneId;
use crate::queue::Micros;
use crate::weight::line_bytes;

/// How long a disk takes to write a block, and to be looked at.
const WRITE: Micros = 500;
const LOOK: Micros = 1_000;
/// What ends a stream.
const END_BYTES: u64 = 1;
/// From completion to departure.
const FAREWELL: Micros = 10_000;

impl World {
    /// Does what the core of `machine` just ordered.
    pub(super) fn perform(&mut self, machine: u32) {
        let mut actions = std::mem::take(&mut self.out);
        let mut said: Option<(u64, Rc<Message>)> = None;
        for action in actions.drain(..) {
            match action {
                Action::Send { link, message } => self.say(link, message, &mut said),
                other => self.perform_one(machine, other),
            }
        }
        self.out = actions;
    }

    /// The same news to many peers is weighed and kept once.
    fn say(&mut self, to: LinkId, message: Message, said: &mut Option<(u64, Rc<Message>)>) {
        let (bytes, message) = match said {
            Some((bytes, last)) if **last == message => (*bytes, last.clone()),
            _ => {
                let new = (line_bytes(&message), Rc::new(message));
                *said = Some(new.clone());
                new
            }
        };
        self.network.send(&mut self.queue, lane(to), bytes, Frame::Line(message));
    }

    fn perform_one(&mut self, machine: u32, action: Action) {
        match action {
            Action::Dial { endpoint, .. } => {
                let to = machine_at(&endpoint).unwrap_or(u32::MAX);
                let is_there = (to as usize) < self.machines.len();
                let delay = self.network.delay(machine, if is_there { to } else { machine });
                self.queue.after(delay, Happening::Knock { from: machine, to });
            }
            Action::SendMetainfo { link, start, length, .. } => {
                let line = line_bytes(&self.metainfo_message(start as u64, length));
                let frame = Frame::Metainfo { start: start as u64, length };
                self.network.send(&mut self.queue, lane(link), line + u64::from(length), frame);
            }
            Action::SendBlock { link, block, .. } => {
                let bytes = line_bytes(&block_message(block)) + u64::from(block.length);
                self.network.send(&mut self.queue, lane(link), bytes, Frame::Block(block));
            }
            Action::SendLeaves { link, piece, .. } => {
                let bytes =
                    line_bytes(&self.leaves_message(piece)) + 32 * self.share.piece(piece).len() as u64;
                self.network.send(&mut self.queue, lane(link), bytes, Frame::Leaves(piece));
            }
            Action::Close { link, farewell } => self.close(lane(link), farewell),
            Action::Prepare { .. } => self.queue.after(LOOK, Happening::Prepared(machine)),
            Action::Write { block, .. } => self.queue.after(WRITE, Happening::Wrote(machine, block)),
            Action::Keep { .. } => self.keep(machine),
            Action::Send { .. } | Action::Remember { .. } | Action::Tell(_) => {}
        }
    }

    fn keep(&mut self, machine: u32) {
        let piece_count = self.share.piece_count();
        let it = &mut self.machines[machine as usize];
        it.held_count += 1;
        if it.held_count == piece_count {
            it.completed = Some(self.queue.now());
            self.incomplete -= 1;
            if self.scenario.leave {
                self.queue.after(FAREWELL, Happening::Departure(machine));
            }
        }
    }

    fn close(&mut self, lane: LaneId, farewell: Option<Message>) {
        if !self.network.is_open(lane) {
            return;
        }
        let last = farewell.map(|message| (line_bytes(&message), Frame::Line(Rc::new(message))));
        let last = last.into_iter().chain([(END_BYTES, Frame::End)]).collect();
        let is_vain = |frame: &Frame| !matches!(frame, Frame::Line(_) | Frame::End);
        self.network.close(&mut self.queue, lane, last, is_vain);
        self.queue.after(0, Happening::Closed(lane));
    }

    pub(super) fn prepared(&mut self, machine: u32) {
        let (share, piece_count) = (self.share.metainfo.share(), self.share.piece_count());
        let (held, wanted) = (PieceSet::empty(piece_count), PieceSet::full(piece_count));
        self.tell(
            machine,
            Event::Prepared { share, held, wanted, banned: Vec::new(), doubtful: BTreeMap::new() },
        );
    }

    /// A frame reached the other end of its lane, which may have stopped listening.
    pub(super) fn landed(&mut self, from: LaneId, frame: Frame) {
        let here = from ^ 1;
        if !self.network.is_open(here) {
            return;
        }
        let (message, payload) = match frame {
            Frame::Line(message) => (Rc::unwrap_or_clone(message), Payload::None),
            Frame::Block(block) => (block_message(block), Payload::Digests(self.share.digests(block))),
            Frame::Metainfo { start, length } => {
                let first = usize::try_from(start).expect("metainfo fits memory");
                let bytes = self.share.metainfo.served_bytes()[first..first + length as usize].to_vec();
                (self.metainfo_message(start, length), Payload::Bytes(bytes))
            }
            Frame::Leaves(piece) => (self.leaves_message(piece), Payload::Digests(self.share.piece(piece))),
            Frame::End => {
                self.network.close(&mut self.queue, here, Vec::new(), |_| true);
                return self.tell(self.network.speaker(here), Event::Closed { link: link(here) });
            }
        };
        self.tell(self.network.speaker(here), Event::Received { link: link(here), message, payload });
    }

    fn metainfo_message(&self, start: u64, length: u32) -> Message {
        Message::Metainfo { start, length, total: self.share.metainfo.served_bytes().len() as u64 }
    }

    fn leaves_message(&self, piece: minibit::content::PieceIndex) -> Message {
        let leaves = self.share.metainfo.geometry().leaf_count(piece);
        let length = u32::try_from(32 * leaves).expect("a piece has at most 1,024 leaves");
        Message::Leaves { piece: u64::from(piece.get()), length }
    }
}

fn block_message(block: minibit::content::Block) -> Message {
    let (piece, start) = (u64::from(block.piece.get()), u64::from(block.start));
    Message::Block { piece, start, length: block.length }
}
