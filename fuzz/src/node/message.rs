//! What a stranger may say: every message, true or false, and lines that are none.

use std::net::IpAddr;

use minibit::content::{Geometry, LEAF_BYTES};
use minibit::ids::{Digest, PeerId, ShareId};
use minibit::seam::Payload;
use minibit::wire::{ErrorCode, Goal, Message, NackReason, PeerAddress, Role};

use super::input::{Input, Range};
use super::truth::TRUTH;

/// What a peer says, and what follows it.
pub type Said = (Message, Payload);

fn geometry() -> &'static Geometry {
    TRUTH.metainfo.geometry()
}

fn bare(message: Message) -> Said {
    (message, Payload::None)
}

pub fn address(input: &mut Input<'_>) -> IpAddr {
    let host = input.byte();
    match host % 5 {
        0 => IpAddr::from([127, 0, 0, 1]),
        1 => IpAddr::from([10, 0, 0, host]),
        2 => IpAddr::from([198, 51, 100, host]),
        3 => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(host)]),
        _ => IpAddr::from([255, 255, 255, 255]),
    }
}

/// Its id is its number, so that a few are borne by several.
pub fn register(number: u8, input: &mut Input<'_>) -> Message {
    let kind = input.byte();
    Message::Register {
        id: PeerId([number; 20]),
        share: if kind % 16 == 15 { ShareId([kind; 32]) } else { TRUTH.metainfo.share() },
        port: [7070, 0, 1, 65535][usize::from(kind >> 4) % 4],
        agent: "x".repeat(usize::from(kind)),
        role: if kind & 1 == 1 { Role::Tracker } else { Role::Peer },
        goal: [None, None, Some(Goal::LastPeer), Some(Goal::Reciprocal)][usize::from(kind >> 1) % 4],
    }
}

/// Any message of a peer.
pub fn message(input: &mut Input<'_>) -> Said {
    match input.below(22) {
        0 => bare(register(1, input)),
        1 => bare(Message::PeerList((0..input.below(200)).map(|_| place(input)).collect())),
        2 => bare(Message::NewPeer(place(input))),
        3 => bare(stock(input)),
        4 => {
            bare(Message::Stock { all: Some(vec![[0, u64::from(geometry().piece_count()) - 1]]), more: None })
        }
        5 => bare(Message::MetainfoRequest { start: input.number(200).wrapping_mul(8) }),
        6 => metainfo(input),
        7 => bare(Message::Interested),
        8 => bare(Message::NotInterested),
        9 => bare(Message::Unchoke),
        10 => bare(Message::Choke),
        11 | 12 => bare(request(input.range(geometry()))),
        13 => block(input.range(geometry()), input.is_rare(4)),
        14 => bare(nack(input.range(geometry()), input)),
        15 => {
            let (piece, start, length) = input.range(geometry());
            bare(Message::Cancel { piece, start, length })
        }
        16 => bare(Message::Suggest { piece: input.piece(geometry()) }),
        17 => bare(Message::LeavesRequest { piece: input.piece(geometry()) }),
        18 => leaves(input),
        19 => bare(Message::Heartbeat),
        20 => bare(Message::Goodbye),
        _ => bare(Message::Error { code: code(input), text: String::new() }),
    }
}

fn place(input: &mut Input<'_>) -> PeerAddress {
    let (ip, port) = (address(input), u16::from(input.byte()));
    PeerAddress { id: PeerId([input.byte(); 20]), ip, port }
}

fn stock(input: &mut Input<'_>) -> Message {
    let kind = input.byte();
    let runs: Vec<[u64; 2]> = (0..kind % 8)
        .map(|_| {
            let first = input.piece(geometry()) % (1 << 21);
            [first, (first + u64::from(input.byte() % 4)).min((1 << 21) - 1)]
        })
        .collect();
    if kind & 8 == 0 {
        Message::Stock { all: Some(runs), more: None }
    } else {
        Message::Stock { all: None, more: Some(runs) }
    }
}

fn metainfo(input: &mut Input<'_>) -> Said {
    let served = TRUTH.metainfo.served_bytes();
    let total = served.len() as u64;
    let (start, count) = (input.below(4) * 128, (input.byte() as usize + 1) * 16);
    let mut bytes = served[start.min(served.len())..(start + count).min(served.len())].to_vec();
    if input.is_rare(4)
        && let Some(byte) = bytes.last_mut()
    {
        *byte ^= 1;
    }
    let Some(length) = u32::try_from(bytes.len()).ok().filter(|length| *length > 0) else {
        return bare(Message::Metainfo { start: start as u64, length: 0, total: 0 });
    };
    let total = if input.is_rare(8) { 64 << 20 } else { total };
    (Message::Metainfo { start: start as u64, length, total }, Payload::Bytes(bytes))
}

pub fn request((piece, start, length): Range) -> Message {
    Message::Request { piece, start, length: length.max(1) }
}

/// The bytes of a range where it is one of the share, of any other so many; false ones where they shall be.
pub fn block((piece, start, length): Range, is_false: bool) -> Said {
    let length = length.clamp(1, 1 << 20);
    let count = usize::try_from(length.div_ceil(u64::from(LEAF_BYTES))).expect("at most 64");
    let known = geometry().block(piece, start, length).ok();
    let mut digests = known.map_or(vec![Digest([7; 32]); count], |block| TRUTH.block(block));
    if is_false {
        digests[count - 1] = Digest([9; 32]);
    }
    let length = u32::try_from(length).expect("at most a mebibyte");
    (Message::Block { piece, start, length }, Payload::Digests(digests))
}

pub fn nack((piece, start, length): Range, input: &mut Input<'_>) -> Message {
    use NackReason::{Absent, Cancelled, Choked, Failed, Full};
    let reason = [Choked, Absent, Full, Cancelled, Failed][input.below(5)];
    Message::Nack { piece, start, length, reason }
}

fn leaves(input: &mut Input<'_>) -> Said {
    let piece = input.piece(geometry());
    let known = geometry().piece(piece).map(|piece| TRUTH.leaves[piece.index()].clone());
    let mut digests = known.unwrap_or(vec![Digest([1; 32]); 5]);
    match input.below(6) {
        0 => digests.clear(),
        1 => digests.push(Digest([2; 32])),
        2 => digests.iter_mut().for_each(|digest| *digest = Digest([3; 32])),
        _ => {}
    }
    let length = 32 * u32::try_from(digests.len()).expect("a few");
    (Message::Leaves { piece, length }, Payload::Digests(digests))
}

fn code(input: &mut Input<'_>) -> ErrorCode {
    use ErrorCode::{Banned, Busy, Duplicate, Full, Internal, NoSuchShare, Other, Protocol, Version};
    [Protocol, Version, NoSuchShare, Duplicate, Full, Banned, Busy, Internal, Other][input.below(9)]
}

/// What would follow a line that was read; none where it is too much for a story.
pub fn payload_of(message: &Message) -> Option<Payload> {
    let length = message.payload_bytes() as usize;
    let digests = |count| Payload::Digests(vec![Digest([5; 32]); count]);
    Some(match message {
        Message::Block { .. } => digests(length.div_ceil(LEAF_BYTES as usize)),
        Message::Leaves { .. } => digests(length / size_of::<Digest>()),
        Message::Metainfo { .. } if length > 1 << 16 => return None,
        Message::Metainfo { .. } => Payload::Bytes(vec![0; length]),
        _ => Payload::None,
    })
}
