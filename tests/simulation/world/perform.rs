//! How the world performs each action of a core, as a shell would.

use minibit::content::{Block, Metainfo, PieceIndex};
use minibit::ids::{LinkId, ShareId};
use minibit::seam::{Action, Event, Payload};
use minibit::wire::{LINE_BYTES_MAX, Message, PAYLOAD_BYTES_MAX, encode};

use super::{World, spoil};
use crate::network::Frame;
use crate::queue::{Happening, Seat, Tip};
use crate::tally::Kind;

/// What sits between an action on a block and its answer, where no disk or wire does.
const MOMENT: u64 = 1_000;

fn framed(message: &Message, payload: Payload, block: Option<Block>) -> Frame {
    let mut line = Vec::new();
    encode(message, &mut line);
    assert!(line.len() <= LINE_BYTES_MAX, "a line of {} bytes", line.len());
    assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1), "one LF, at the end");
    let bytes = message.payload_bytes();
    assert!(bytes <= PAYLOAD_BYTES_MAX, "a payload of {bytes} bytes");
    let bytes = line.len() as u64 + u64::from(bytes);
    Frame { line, payload, bytes, block }
}

impl World {
    pub(super) fn perform_one(&mut self, seat: Seat, action: Action, hand: &Payload) {
        match action {
            Action::Dial { share, endpoint } => {
                let delay = self.network.delay(seat.machine, seat.machine).max(5_000);
                self.queue.after(delay, Happening::Knock(seat, share, endpoint));
            }
            Action::Send { link, message } => self.post(seat, link, framed(&message, Payload::None, None)),
            Action::SendMetainfo { link, metainfo, start, length } => {
                self.send_metainfo(seat, link, &metainfo, start, length);
            }
            Action::SendBlock { link, share, block } => self.send_block(seat, link, share, block),
            Action::SendLeaves { link, share, piece } => self.send_leaves(seat, link, share, piece),
            Action::Close { link, farewell } => {
                let farewell = farewell.map(|message| framed(&message, Payload::None, None));
                if let Some(tip) = self.tip(seat, link) {
                    self.network.close(&mut self.queue, tip, farewell);
                }
            }
            Action::Prepare { share, .. } => self.prepare(seat, share),
            Action::Write { share, block } => {
                let Payload::Digests(leaves) = hand else { unreachable!("the checker looked") };
                let at = self.machines[seat.machine].disk.write_ends(self.queue.now());
                self.queue.at(at, Happening::Stored(seat, share, block, leaves.clone()));
            }
            Action::Keep { share, piece } => {
                let truth = self.truths.iter().find(|truth| truth.share() == share).expect("a true share");
                self.checker.keep(seat.machine, truth, piece.get(), &self.machines[seat.machine].disk);
            }
            Action::Remember { share, ban } => {
                self.machines[seat.machine].bans.entry(share).or_default().push(ban);
            }
            Action::Tell(_) => {}
        }
    }

    fn tip(&self, seat: Seat, link: LinkId) -> Option<Tip> {
        self.machines[seat.machine].links.get(&link).copied()
    }

    fn post(&mut self, seat: Seat, link: LinkId, frame: Frame) {
        if let Some(tip) = self.tip(seat, link) {
            self.trace.message(&frame.line, &frame.payload);
            self.network.send(&mut self.queue, tip, frame);
        }
    }

    fn lie_chance(&mut self, seat: Seat, percent: usize) -> bool {
        self.machines[seat.machine].chance.below(100) < percent
    }

    fn send_metainfo(&mut self, seat: Seat, link: LinkId, metainfo: &Metainfo, start: usize, length: u32) {
        let served = metainfo.served_bytes();
        let mut bytes = served[start..start + length as usize].to_vec();
        if self.machines[seat.machine].spec.lies.is_some_and(|lies| lies.metainfo) {
            let at = self.machines[seat.machine].chance.below(bytes.len());
            bytes[at] ^= 1;
            self.tally.fired(Kind::FalseMetainfo);
        }
        let message = Message::Metainfo { start: start as u64, length, total: served.len() as u64 };
        self.post(seat, link, framed(&message, Payload::Bytes(bytes), None));
    }

    fn send_block(&mut self, seat: Seat, link: LinkId, share: ShareId, block: Block) {
        let machine = &mut self.machines[seat.machine];
        let is_failure = machine.disk.fails_to_read(&mut machine.chance);
        let mut leaves = machine.disk.read(share, block);
        let is_rotten = self.finds_rot(seat, share, block.piece, |truth| leaves == truth[block.leaves()]);
        if is_failure || is_rotten {
            let served = Event::Served { link, block, sent: false };
            if self.tip(seat, link).is_some_and(|tip| self.network.is_open(tip)) {
                self.queue.after(0, Happening::Core(seat, served));
            }
            return;
        }
        let percent = self.machines[seat.machine].spec.lies.map_or(0, |lies| lies.blocks_percent);
        if percent > 0 && self.lie_chance(seat, percent) {
            spoil(&mut leaves, &mut self.machines[seat.machine].chance);
            self.tally.fired(Kind::FalseBlock);
        }
        let message = Message::Block {
            piece: u64::from(block.piece.get()),
            start: u64::from(block.start),
            length: block.length,
        };
        self.post(seat, link, framed(&message, Payload::Digests(leaves), Some(block)));
    }

    fn send_leaves(&mut self, seat: Seat, link: LinkId, share: ShareId, piece: PieceIndex) {
        let mut leaves = self.machines[seat.machine].disk.piece(share, piece.index()).unwrap_or_default();
        if self.finds_rot(seat, share, piece, |truth| truth == leaves) {
            leaves.clear();
        }
        let machine = &mut self.machines[seat.machine];
        if !leaves.is_empty() && machine.spec.lies.is_some_and(|lies| lies.leaves) {
            spoil(&mut leaves, &mut machine.chance);
            self.tally.fired(Kind::FalseLeaves);
        }
        let length = u32::try_from(32 * leaves.len()).expect("a piece has at most 1,024 leaves");
        let message = Message::Leaves { piece: u64::from(piece.get()), length };
        self.post(seat, link, framed(&message, Payload::Digests(leaves), None));
    }

    /// What is truly on the disk, what is there and wrong, and what this machine was told to want.
    fn prepare(&mut self, seat: Seat, share: ShareId) {
        let machine = &self.machines[seat.machine];
        let truth = self.truth(share);
        let held = truth.set(|piece| machine.disk.is_true(truth, piece as usize));
        let wants = machine.spec.wants;
        let wanted = truth.set(|piece| wants.is_none_or(|(divisor, rest)| piece % divisor == rest));
        let there = |piece: PieceIndex| Some((piece, machine.disk.piece(share, piece.index())?));
        let pieces = truth.metainfo.geometry().pieces();
        let doubtful = pieces.filter(|piece| !held.contains(*piece)).filter_map(there).collect();
        let banned = machine.bans.get(&share).cloned().unwrap_or_default();
        let prepared = Event::Prepared { share, held, wanted, banned, doubtful };
        self.queue.after(20 * MOMENT, Happening::Core(seat, prepared));
    }
}
