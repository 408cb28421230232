//! Puts letters on a connection in their order: many small ones in one write, content read when its turn comes.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Letter, Report, Tools};
use crate::content::{Block, Metainfo, PieceIndex};
use crate::ids::{LinkId, ShareId};
use crate::net::content::Store;
use crate::net::pool::Buffer;
use crate::net::serve::{Larder, PART_BYTES_MAX};
use crate::seam::Event;
use crate::wire::{Message, encode};

/// Letters taken from the mailbox at once.
const BATCH_LETTERS_MAX: usize = 64;
/// Bytes of lines gathered before they are written.
const GATHERED_BYTES_MAX: usize = 64 * 1024;
/// How long the other side may take no byte at all: as long as the disk of an honest one may stand still...
const STALL_MAX: Duration = Duration::from_secs(60);
/// ...and how fast it must have taken, on average, what it takes longer for.
const TAKEN_PER_SECOND_MIN: u64 = 1024;

/// The writing half of a link.
#[derive(Debug)]
pub(super) struct Writer<W> {
    link: LinkId,
    sink: W,
    gathered: Vec<u8>,
    /// Contents that belong between the lines gathered: at which byte of those each, and in all at most [`PART_BYTES_MAX`].
    enclosed: Vec<(usize, Buffer)>,
    /// Blocks that end with what is gathered: the core hears of them once that is written.
    ending: Vec<Block>,
    letters: mpsc::Receiver<Letter>,
    room: Arc<Notify>,
    closing: CancellationToken,
    inbox: mpsc::Sender<Report>,
    larder: Arc<Larder>,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(
        link: LinkId,
        sink: W,
        tools: &Tools,
        letters: mpsc::Receiver<Letter>,
        room: Arc<Notify>,
        closing: CancellationToken,
    ) -> Writer<W> {
        let (inbox, larder) = (tools.inbox.clone(), tools.larder.clone());
        let (gathered, enclosed, ending) = (Vec::new(), Vec::new(), Vec::new());
        Writer { link, sink, gathered, enclosed, ending, letters, room, closing, inbox, larder }
    }

    /// Writes until the last word is out. `TimedOut` when the other side takes nothing any more, `UnexpectedEof` when
    /// the rest of a block that was begun cannot be read.
    pub(super) async fn run(mut self) -> io::Result<()> {
        let mut batch = Vec::with_capacity(BATCH_LETTERS_MAX);
        while self.letters.recv_many(&mut batch, BATCH_LETTERS_MAX).await > 0 {
            for letter in batch.drain(..) {
                if let Letter::Close(farewell) = letter {
                    return self.finish(farewell).await;
                }
                self.write(letter).await?;
            }
            self.send(&[]).await?;
            self.room.notify_one();
        }
        Ok(())
    }

    async fn write(&mut self, letter: Letter) -> io::Result<()> {
        match letter {
            Letter::Say(message) => self.say(&message).await,
            _ if self.closing.is_cancelled() => Ok(()), // nobody waits for content any more
            Letter::Metainfo { metainfo, start, length } => self.metainfo(&metainfo, start, length).await,
            Letter::Block { share, store, block } => self.block(share, store, block).await,
            Letter::Leaves { share, store, piece } => self.leaves(share, store, piece).await,
            Letter::Close(_) => unreachable!("taken out by the caller"),
        }
    }

    async fn finish(mut self, farewell: Option<Message>) -> io::Result<()> {
        if let Some(message) = farewell {
            encode(&message, &mut self.gathered);
        }
        self.send(&[]).await?;
        self.sink.shutdown().await
    }

    async fn say(&mut self, message: &Message) -> io::Result<()> {
        encode(message, &mut self.gathered);
        if self.gathered.len() >= GATHERED_BYTES_MAX { self.send(&[]).await } else { Ok(()) }
    }

    async fn metainfo(&mut self, metainfo: &Metainfo, start: usize, length: u32) -> io::Result<()> {
        let bytes = metainfo.served_bytes();
        let message = Message::Metainfo { start: start as u64, length, total: bytes.len() as u64 };
        encode(&message, &mut self.gathered);
        self.send(&bytes[start..start + length as usize]).await
    }

    async fn block(&mut self, share: ShareId, store: Arc<Store>, block: Block) -> io::Result<()> {
        let mut begun = false;
        for part in Larder::parts(block) {
            match self.larder.part(share, &store, part).await {
                Some(bytes) => {
                    let line = (!begun).then(|| {
                        let (piece, start) = (block.piece.get().into(), block.start.into());
                        Message::Block { piece, start, length: block.length }
                    });
                    self.enclose(line, bytes).await?;
                    begun = true;
                }
                None if begun => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => return self.tell(block, false).await,
            }
        }
        self.ending.push(block);
        Ok(())
    }

    /// Gathers `bytes` behind their line: those of small blocks go out together, a large one's part by part.
    async fn enclose(&mut self, line: Option<Message>, bytes: Buffer) -> io::Result<()> {
        let held: usize = self.enclosed.iter().map(|(_, bytes)| bytes.len()).sum();
        if held + bytes.len() > PART_BYTES_MAX as usize {
            self.send(&[]).await?;
        }
        if let Some(message) = line {
            encode(&message, &mut self.gathered);
        }
        self.enclosed.push((self.gathered.len(), bytes));
        Ok(())
    }

    async fn tell(&mut self, block: Block, sent: bool) -> io::Result<()> {
        let event = Event::Served { link: self.link, block, sent };
        self.inbox.send(event.into()).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    async fn leaves(&mut self, share: ShareId, store: Arc<Store>, piece: PieceIndex) -> io::Result<()> {
        let digests = self.larder.leaves(share, store, piece).await;
        let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
        let length = u32::try_from(bytes.len()).expect("a piece has at most 1,024 leaves");
        encode(&Message::Leaves { piece: piece.get().into(), length }, &mut self.gathered);
        self.send(&bytes).await
    }

    /// Writes the lines gathered with what is enclosed, then `payload`, in as few writes as the socket takes.
    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut slices = Vec::with_capacity(2 * self.enclosed.len() + 2);
        let mut from = 0;
        for (at, bytes) in &self.enclosed {
            slices.extend([IoSlice::new(&self.gathered[from..*at]), IoSlice::new(bytes)]);
            from = *at;
        }
        slices.extend([IoSlice::new(&self.gathered[from..]), IoSlice::new(payload)]);
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, 0); // drops the empty ones
        let (began, mut taken_bytes) = (Instant::now(), 0);
        while !left.is_empty() {
            let by = began + STALL_MAX.max(Duration::from_secs(taken_bytes / TAKEN_PER_SECOND_MIN));
            match timeout_at(by, self.sink.write_vectored(left)).await?? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    taken_bytes += count as u64;
                    IoSlice::advance_slices(&mut left, count);
                }
            }
        }
        self.gathered.clear();
        self.enclosed.clear();
        for block in std::mem::take(&mut self.ending) {
            self.tell(block, true).await?;
        }
        Ok(())
    }
}
