//! What holds for every message and for any bytes at all.

use std::net::IpAddr;

use minibit::ids::{PeerId, ShareId};
use minibit::wire::{
    ErrorCode, Goal, Message, NackReason, PeerAddress, Role, WireError, decode, encode, first_byte, split,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn text(bytes_max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>().prop_filter("printable", |c| !c.is_control()), 0..bytes_max / 4)
        .prop_map(String::from_iter)
}

fn peer() -> impl Strategy<Value = PeerAddress> {
    (any::<[u8; 20]>(), any::<IpAddr>(), any::<u16>()).prop_map(|(id, ip, port)| PeerAddress {
        id: PeerId(id),
        ip: ip.to_canonical(),
        port,
    })
}

fn runs() -> impl Strategy<Value = Vec<[u64; 2]>> {
    vec((0_u64..1 << 20, 0_u64..1 << 20).prop_map(|(first, more)| [first, first + more]), 0..50)
}

fn register() -> impl Strategy<Value = Message> {
    let role = prop::sample::select(vec![Role::Peer, Role::Tracker]);
    let goal = prop::sample::select(vec![None, Some(Goal::Reciprocal), Some(Goal::LastPeer)]);
    (any::<[u8; 20]>(), any::<[u8; 32]>(), any::<u16>(), text(256), role, goal).prop_map(
        |(id, share, port, agent, role, goal)| {
            let (id, share) = (PeerId(id), ShareId(share));
            Message::Register { id, share, port, agent, role, goal }
        },
    )
}

fn nack() -> impl Strategy<Value = Message> {
    use NackReason::{Absent, Cancelled, Choked, Failed, Full};
    let reason = prop::sample::select(vec![Choked, Absent, Full, Cancelled, Failed]);
    (any::<u64>(), any::<u64>(), any::<u64>(), reason)
        .prop_map(|(piece, start, length, reason)| Message::Nack { piece, start, length, reason })
}

fn error() -> impl Strategy<Value = Message> {
    use ErrorCode::{Banned, Busy, Duplicate, Full, Internal, NoSuchShare, Other, Protocol, Version};
    let codes = vec![Protocol, Version, NoSuchShare, Duplicate, Full, Banned, Busy, Internal, Other];
    (prop::sample::select(codes), text(1_000)).prop_map(|(code, text)| Message::Error { code, text })
}

fn metainfo() -> impl Strategy<Value = Message> {
    let held = (0_u32..63 << 20, 1_u32..=1 << 20, 0_u32..1000).prop_map(|(start, length, rest)| {
        let total = u64::from(start + length).max(u64::from(start + length + rest).min(64 << 20));
        Message::Metainfo { start: start.into(), length, total }
    });
    prop_oneof![held, any::<u64>().prop_map(|start| Message::Metainfo { start, length: 0, total: 0 })]
}

fn ranged() -> impl Strategy<Value = Message> {
    (any::<u64>(), any::<u64>(), 1_u32..=1 << 20, 0..3).prop_map(|(piece, start, length, kind)| match kind {
        0 => Message::Request { piece, start, length: length.into() },
        1 => Message::Block { piece, start, length },
        _ => Message::Cancel { piece, start, length: length.into() },
    })
}

fn bare() -> impl Strategy<Value = Message> {
    use Message::{Choke, Goodbye, Heartbeat, Interested, NotInterested, Unchoke};
    prop::sample::select(vec![Interested, NotInterested, Unchoke, Choke, Heartbeat, Goodbye])
}

fn message() -> impl Strategy<Value = Message> {
    let stock = (runs(), prop::option::of(runs()), any::<bool>()).prop_map(|(one, other, swapped)| {
        if swapped {
            Message::Stock { all: other, more: Some(one) }
        } else {
            Message::Stock { all: Some(one), more: other }
        }
    });
    prop_oneof![
        register(),
        vec(peer(), 0..=200).prop_map(Message::PeerList),
        peer().prop_map(Message::NewPeer),
        stock,
        any::<u64>().prop_map(|start| Message::MetainfoRequest { start }),
        metainfo(),
        ranged(),
        nack(),
        error(),
        bare(),
        any::<u64>().prop_map(|piece| Message::Suggest { piece }),
        any::<u64>().prop_map(|piece| Message::LeavesRequest { piece }),
        (any::<u64>(), 0_u32..=1 << 15)
            .prop_map(|(piece, leaves)| Message::Leaves { piece, length: leaves * 32 }),
    ]
}

/// Bytes that look like a message for a while.
fn nearly_a_line() -> impl Strategy<Value = Vec<u8>> {
    (message(), vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)).prop_map(|(message, changes)| {
        let mut line = line_of(&message);
        for (at, byte) in changes {
            let at = at.index(line.len());
            line[at] = byte;
        }
        line
    })
}

fn line_of(message: &Message) -> Vec<u8> {
    let mut line = Vec::new();
    encode(message, &mut line);
    line
}

/// A connection's reader in small: takes bytes as they come, gives what it read of lines and payloads.
#[derive(Default)]
struct Reader {
    waiting: Vec<u8>,
    payload_left: usize,
    read: Vec<Result<Option<Message>, WireError>>,
}

impl Reader {
    fn take(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        loop {
            let payload = self.payload_left.min(self.waiting.len());
            self.waiting.drain(..payload);
            self.payload_left -= payload;
            let Ok(Some((line, used))) = split(&self.waiting, 0) else { return };
            let read = decode(line);
            self.payload_left = read.iter().flatten().map(|message| message.payload_bytes() as usize).sum();
            self.read.push(read);
            self.waiting.drain(..used);
        }
    }
}

/// What goes over the wire for these messages, each with its payload of LFs, the worst of bytes.
fn stream_of(messages: &[Message]) -> Vec<u8> {
    let parts = messages.iter().map(|message| {
        let mut part = line_of(message);
        part.resize(part.len() + message.payload_bytes() as usize, b'\n');
        part
    });
    parts.collect::<Vec<_>>().concat()
}

fn small_payload(message: Message) -> Message {
    match message {
        Message::Block { piece, start, length } => Message::Block { piece, start, length: length % 97 + 1 },
        Message::Leaves { piece, length } => Message::Leaves { piece, length: length % 160 / 32 * 32 },
        Message::Metainfo { .. } => Message::Metainfo { start: 3, length: 14, total: 30 },
        other => other,
    }
}

proptest! {
    #[test]
    fn every_message_is_read_as_it_was_written(message in message()) {
        let line = line_of(&message);
        let (body, used) = split(&line, 0).unwrap().unwrap();
        prop_assert_eq!(used, line.len());
        prop_assert_eq!(decode(body), Ok(Some(message)));
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in vec(any::<u8>(), 0..500)) {
        let shown = decode(&bytes).err().map(|fault| fault.to_string());
        prop_assert!(shown.is_none_or(|text| text.len() <= 200));
        let cut = split(&bytes, 0);
        prop_assert!(cut.is_ok_and(|line| line.is_none_or(|(line, used)| line.len() + 1 == used)));
        bytes.iter().for_each(|byte| _ = first_byte(*byte));
    }

    #[test]
    fn a_message_with_wrong_bytes_in_it_is_refused_or_written_again_the_same(line in nearly_a_line()) {
        if let Ok(Some(message)) = decode(line.trim_ascii_end()) {
            prop_assert_eq!(decode(line_of(&message).trim_ascii_end()), Ok(Some(message)));
        }
    }

    #[test]
    fn a_truncated_line_is_refused(message in message(), at in any::<prop::sample::Index>()) {
        let line = line_of(&message);
        let end = at.index(line.len() - 1);
        prop_assert_eq!(split(&line[..end], 0), Ok(None));
        prop_assert!(matches!(decode(&line[..end]), Err(WireError::Malformed(_))));
    }

    #[test]
    fn however_the_bytes_arrive_the_messages_are_the_same(
        messages in vec(message().prop_map(small_payload), 1..6),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = stream_of(&messages);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        let mut reader = Reader::default();
        ends.windows(2).for_each(|pair| reader.take(&stream[pair[0]..pair[1]]));
        prop_assert!(reader.waiting.is_empty() && reader.payload_left == 0);
        prop_assert_eq!(reader.read, messages.into_iter().map(|message| Ok(Some(message))).collect::<Vec<_>>());
    }
}

#[test]
fn one_byte_at_a_time_and_cut_at_every_place_gives_the_same_messages() {
    let messages = [
        Message::Heartbeat,
        Message::Block { piece: 7, start: 0, length: 40 },
        Message::Stock { all: Some(vec![[0, 3]]), more: None },
        Message::Leaves { piece: 7, length: 64 },
        Message::Request { piece: 7, start: 0, length: 16384 },
    ];
    let expected: Vec<_> = messages.iter().cloned().map(|message| Ok(Some(message))).collect();
    let stream = stream_of(&messages);
    let mut slow = Reader::default();
    stream.iter().for_each(|byte| slow.take(&[*byte]));
    assert_eq!(slow.read, expected);
    for cut in 0..=stream.len() {
        let mut reader = Reader::default();
        reader.take(&stream[..cut]);
        reader.take(&stream[cut..]);
        assert_eq!(reader.read, expected, "cut at {cut}");
    }
}
