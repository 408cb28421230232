//! Turns what a connection brings into events: lines, messages, and payloads hashed while they are hot.

use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use super::lines::Lines;
use super::source::Source;
use super::vigil::Vigil;
use super::{Letter, MAILBOX_ROOM_MIN, Report, Tools};
use crate::content::{LEAF_BYTES, merkle};
use crate::ids::{Digest, LinkId};
use crate::net::accept::Seat;
use crate::net::pool::{Buffer, Pool};
use crate::seam::{Event, Payload};
use crate::wire::{LINE_BYTES_MAX, Message, PAYLOAD_BYTES_MAX, Protocol, WireError, decode, first_byte};

/// Bytes of a payload read at once: few enough to be still in the cache when they are hashed.
const READ_BYTES_MAX: usize = 128 * 1024;
/// Bytes of one digest in FOLHAS.
const DIGEST_BYTES: usize = 32;

/// Why nothing more is read.
#[derive(Debug)]
pub(super) enum Stop {
    /// The connection ended, crawled, or speaks another protocol; or the whole run is over.
    Gone,
    /// The other side broke the wire's rules.
    Wrong(WireError),
    /// Our side closes.
    Closing,
}

impl From<WireError> for Stop {
    fn from(error: WireError) -> Stop {
        Stop::Wrong(error)
    }
}

/// What is left of the connection when the reader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing.
    Gone,
    /// A last word may still be on its way out.
    Drained,
}

/// What the reading half knows of our side of the link.
#[derive(Debug)]
pub(super) struct Ours {
    pub(super) mailbox: mpsc::Sender<Letter>,
    /// Told when there is room in the mailbox again.
    pub(super) room: Arc<Notify>,
    pub(super) asked: Asked,
    pub(super) seat: Arc<Seat>,
}

/// The reading half of a link.
#[derive(Debug)]
pub(super) struct Reader<R> {
    link: LinkId,
    source: R,
    lines: Lines,
    vigil: Vigil,
    pool: Pool,
    ours: Ours,
    is_greeted: bool,
}

impl<R: Source> Reader<R> {
    pub(super) fn new(link: LinkId, source: R, tools: &Tools, ours: Ours) -> Reader<R> {
        let pool = tools.pool.clone();
        let vigil = Vigil::new(link, tools.inbox.clone(), pool.clone());
        Reader { link, source, lines: Lines::new(), vigil, pool, ours, is_greeted: false }
    }

    /// Reads until the other side or the core ends it. What comes after the end is thrown away, since a connection
    /// closed over unread bytes would take our last word with it.
    pub(super) async fn run(mut self, closing: &CancellationToken) -> End {
        let seat = self.ours.seat.clone();
        let stop = tokio::select! {
            biased;
            () = closing.cancelled() => Stop::Closing,
            () = seat.shown_out() => Stop::Gone,
            Err(stop) = self.converse() => stop,
        };
        match stop {
            Stop::Gone => return End::Gone,
            Stop::Closing => {}
            Stop::Wrong(error) => {
                if self.vigil.post(Event::Violated { link: self.link, error }).await.is_err() {
                    return End::Gone;
                }
            }
        }
        self.drain().await;
        End::Drained
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, Stop> {
        self.ours.seat.turn().await;
        self.first_byte().await?;
        loop {
            self.wait_for_room().await?;
            let Some(message) = self.message().await? else { continue };
            let report = self.complete(message).await?;
            self.vigil.message_ended(self.lines.held_bytes());
            self.vigil.post(report).await?;
        }
    }

    /// Another protocol is left without a word; what is none is told so.
    async fn first_byte(&mut self) -> Result<(), Stop> {
        self.more().await?;
        match self.lines.first().map(first_byte) {
            Some(Protocol::Minibit) => Ok(()),
            Some(Protocol::Unknown) => {
                Err(Stop::Wrong(WireError::Malformed("a connection begins with '{'".to_owned())))
            }
            Some(Protocol::BitTorrent | Protocol::Http | Protocol::Encrypted) | None => Err(Stop::Gone),
        }
    }

    async fn more(&mut self) -> Result<(), Stop> {
        self.source.await_bytes(1);
        let count = self.vigil.read(&mut self.source, self.lines.room()).await?;
        self.lines.filled(count);
        Ok(())
    }

    /// As long as the other side does not take what we owe it, we do not hear what else it wants.
    async fn wait_for_room(&mut self) -> Result<(), Stop> {
        while self.ours.mailbox.capacity() < MAILBOX_ROOM_MIN && !self.ours.mailbox.is_closed() {
            let (mailbox, room) = (&self.ours.mailbox, &self.ours.room);
            let wait = async {
                tokio::select! {
                    () = room.notified() => {}
                    () = mailbox.closed() => {}
                }
            };
            self.vigil.excuse(wait).await?;
        }
        Ok(())
    }

    /// The next message, its payload still to come; none where it is one of a later version.
    async fn message(&mut self) -> Result<Option<Message>, Stop> {
        loop {
            if let Some(line) = self.lines.line()? {
                let message = decode(line)?;
                if message.is_none() {
                    self.vigil.message_ended(self.lines.held_bytes());
                }
                return Ok(message);
            }
            self.more().await?;
        }
    }

    /// Reads what follows the line of `message`.
    async fn complete(&mut self, message: Message) -> Result<Report, Stop> {
        let length = self.check(&message)?;
        let is_asked = self.ours.asked.is_answered_by(&message);
        let (payload, buffer) = match message {
            _ if length > 0 && !is_asked => {
                self.waste(length).await?;
                (Payload::None, None)
            }
            Message::Block { .. } => self.block(length).await?,
            Message::Metainfo { .. } => {
                let mut buffer = self.raw(length).await?;
                (Payload::Bytes(buffer.take_bytes()), Some(buffer))
            }
            Message::Leaves { .. } => {
                let buffer = self.raw(length).await?;
                (Payload::Digests(digests_of(&buffer)), Some(buffer))
            }
            _ => (Payload::None, None),
        };
        Ok(Report { event: Event::Received { link: self.link, message, payload }, payload: buffer })
    }

    /// The payload's length, if it may be read at all.
    fn check(&mut self, message: &Message) -> Result<u32, WireError> {
        let length = message.payload_bytes();
        let is_greeted = std::mem::replace(&mut self.is_greeted, true);
        if length > PAYLOAD_BYTES_MAX {
            return Err(WireError::PayloadTooLong(length.into()));
        }
        if length > 0 && !is_greeted {
            return Err(WireError::Malformed("a payload before REGISTRO".to_owned()));
        }
        if !is_greeted {
            self.ours.seat.introduced(); // where it was no REGISTRO, the core closes
        }
        if matches!(message, Message::Leaves { .. }) && !(length as usize).is_multiple_of(DIGEST_BYTES) {
            return Err(WireError::Malformed(format!("leaf hashes of {length} bytes in all")));
        }
        Ok(length)
    }

    async fn block(&mut self, length: u32) -> Result<(Payload, Option<Buffer>), Stop> {
        let mut buffer = self.buffer(length).await?;
        let mut digests = Vec::with_capacity(length.div_ceil(LEAF_BYTES) as usize);
        let mut have = 0;
        while have < buffer.len() {
            have += self.some(&mut buffer[have..]).await?;
            hash_leaves(&buffer, have, &mut digests);
        }
        Ok((Payload::Digests(digests), Some(buffer)))
    }

    async fn raw(&mut self, length: u32) -> Result<Buffer, Stop> {
        let mut buffer = self.buffer(length).await?;
        let mut have = 0;
        while have < buffer.len() {
            have += self.some(&mut buffer[have..]).await?;
        }
        Ok(buffer)
    }

    /// Room in the pool for a payload. While others may have to wait for theirs, its head must be here first, in the link's
    /// own room: whoever announces much and sends little would hold what it does not use.
    async fn buffer(&mut self, length: u32) -> Result<Buffer, Stop> {
        self.vigil.payload_begins(length);
        while self.pool.is_scarce() && self.lines.held_bytes() < LINE_BYTES_MAX.min(length as usize) {
            self.more().await?;
        }
        self.vigil.excuse(self.pool.reserve(length)).await
    }

    /// Reads a payload that nobody asked for, and keeps none of it: a crowd that sends such would have the whole pool.
    async fn waste(&mut self, length: u32) -> Result<(), Stop> {
        let mut waste = vec![0; LEAF_BYTES as usize];
        let mut left = length as usize;
        while left > 0 {
            let part = left.min(waste.len());
            left -= self.some(&mut waste[..part]).await?;
        }
        Ok(())
    }

    /// Some bytes of a payload: what is here already, or what comes next.
    async fn some(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        let held = self.lines.take_into(into);
        if held > 0 {
            return Ok(held);
        }
        let part = into.len().min(READ_BYTES_MAX);
        self.source.await_bytes(part);
        self.vigil.read(&mut self.source, &mut into[..part]).await
    }

    async fn drain(&mut self) {
        self.source.await_bytes(1);
        let mut waste = vec![0; LEAF_BYTES as usize];
        while self.source.read(&mut waste).await.is_ok_and(|count| count > 0) {}
    }
}

/// Hashes the leaves that have become complete now that `have` of `bytes` are there.
fn hash_leaves(bytes: &[u8], have: usize, digests: &mut Vec<Digest>) {
    let leaf_bytes = LEAF_BYTES as usize;
    loop {
        let start = digests.len() * leaf_bytes;
        let end = (start + leaf_bytes).min(bytes.len());
        if start >= end || end > have {
            return;
        }
        digests.push(merkle::leaf(&bytes[start..end]));
    }
}

fn digests_of(bytes: &[u8]) -> Vec<Digest> {
    let (digests, _) = bytes.as_chunks::<DIGEST_BYTES>();
    digests.iter().map(|digest| Digest(*digest)).collect()
}
