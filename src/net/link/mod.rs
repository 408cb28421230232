//! One connection: a reader and a writer, each a task of its own, and the bounded mailboxes between them and the core.
//!
//! They know frames and bytes, and nothing of what a message means.

mod asked;
#[cfg(feature = "fuzz")]
pub(super) mod fuzz;
mod lines;
mod reader;
mod source;
#[cfg(test)]
mod tests;
mod vigil;
mod writer;

use std::io::ErrorKind::{TimedOut, UnexpectedEof};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::asked::Asked;
use self::reader::{Ours, Reader};
use self::source::{Source, TcpSource};
use self::writer::Writer;
use super::accept::{Guest, Seat};
use super::content::Store;
use super::jobs::Done;
use super::pool::{Buffer, Pool};
use super::serve::Larder;
use crate::content::{Block, Metainfo, PieceIndex};
use crate::ids::{LinkId, ShareId};
use crate::seam::Event;
use crate::wire::Message;

/// What all links together may have told the core before it listened.
pub(crate) const INBOX_REPORTS_MAX: usize = 1024;
/// What one link may still have to say. Letters carry no content: a block is read when its turn comes.
const MAILBOX_LETTERS_MAX: usize = 4096;
/// With less room than this in its mailbox a peer is not listened to. The other half is for what was already heard
/// from it, which is at most an inbox full.
const MAILBOX_ROOM_MIN: usize = MAILBOX_LETTERS_MAX / 2;
/// From the order to close until the connection is cut.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// What a link tells the core.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) event: Event,
    /// The bytes of a BLOCO, or just the room in the pool that the event takes up.
    pub(crate) payload: Option<Buffer>,
}

impl From<Event> for Report {
    fn from(event: Event) -> Report {
        Report { event, payload: None }
    }
}

/// What the core tells a link.
#[derive(Debug)]
pub(crate) enum Letter {
    /// A message without a payload.
    Say(Message),
    /// METADADOS.
    Metainfo { metainfo: Arc<Metainfo>, start: usize, length: u32 },
    /// BLOCO.
    Block { share: ShareId, store: Arc<Store>, block: Block },
    /// FOLHAS.
    Leaves { share: ShareId, store: Arc<Store>, piece: PieceIndex },
    /// The last word.
    Close(Option<Message>),
}

/// What every link of a run uses.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) inbox: mpsc::Sender<Report>,
    pub(crate) pool: Pool,
    pub(crate) larder: Arc<Larder>,
    /// Cuts every link at once.
    pub(crate) cut: CancellationToken,
}

/// The driver's end of a link; kept until [`Event::Closed`].
#[derive(Debug)]
pub(crate) struct Link {
    mailbox: mpsc::Sender<Letter>,
    asked: Asked,
    closing: CancellationToken,
    cut: CancellationToken,
    _seat: Arc<Seat>,
}

impl Link {
    /// Starts both tasks.
    pub(crate) fn begin(id: LinkId, guest: Guest, tools: &Tools, tasks: &mut JoinSet<Done>) -> Link {
        let (source, sink) = guest.stream.into_split();
        Link::over(id, TcpSource::new(source), sink, guest.seat, tools, tasks)
    }

    fn over(
        id: LinkId,
        source: impl Source + Send + 'static,
        sink: impl AsyncWrite + Unpin + Send + 'static,
        seat: Seat,
        tools: &Tools,
        tasks: &mut JoinSet<Done>,
    ) -> Link {
        let (mailbox, letters) = mpsc::channel(MAILBOX_LETTERS_MAX);
        let (closing, cut) = (CancellationToken::new(), tools.cut.child_token());
        let (written, ended) = oneshot::channel();
        let (room, asked, seat) = (Arc::new(Notify::new()), Asked::default(), Arc::new(seat));
        let ours =
            Ours { mailbox: mailbox.clone(), room: room.clone(), asked: asked.clone(), seat: seat.clone() };
        let reader = Reader::new(id, source, tools, ours);
        let writer = Writer::new(id, sink, tools, letters, room, closing.clone());
        tasks.spawn(reading(reader, id, tools.inbox.clone(), closing.clone(), cut.clone(), ended));
        tasks.spawn(writing(writer, closing.clone(), cut.clone(), written));
        Link { mailbox, asked, closing, cut, _seat: seat }
    }

    /// Queues `letter`; a link whose mailbox overflows is too slow to keep, and is cut.
    pub(crate) fn post(&self, letter: Letter) {
        if let Letter::Say(message) = &letter {
            self.asked.note(message); // before the other side can answer
        }
        if let Err(mpsc::error::TrySendError::Full(_)) = self.mailbox.try_send(letter) {
            self.cut.cancel();
        }
    }

    /// Queues the last word behind those before it; blocks that wait there are not sent any more.
    pub(crate) fn close(&self, farewell: Option<Message>) {
        self.closing.cancel();
        self.post(Letter::Close(farewell));
    }
}

/// The time in which a link that was told to close must have done so is over.
async fn overdue(closing: &CancellationToken) {
    closing.cancelled().await;
    sleep(CLOSE_MAX).await;
}

/// The reader's task. Being the last to end, it tells the core that the link is closed.
async fn reading(
    reader: Reader<impl Source>,
    link: LinkId,
    inbox: mpsc::Sender<Report>,
    closing: CancellationToken,
    cut: CancellationToken,
    writer_ended: oneshot::Receiver<()>,
) -> Done {
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        () = overdue(&closing) => {}
        end = reader.run(&closing) => if end == reader::End::Gone { cut.cancel() },
    }
    let _ = writer_ended.await; // it ends by dropping the other half
    let _ = inbox.send(Event::Closed { link }.into()).await; // fails only when the whole run is over
    Done::Task
}

/// The writer's task. A connection that takes no bytes any more, or that we cannot go on in, is cut; one that broke is
/// left to the reader, which may still find the other side's last words in it.
async fn writing(
    writer: Writer<impl AsyncWrite + Unpin>,
    closing: CancellationToken,
    cut: CancellationToken,
    _written: oneshot::Sender<()>,
) -> Done {
    tokio::select! {
        biased;
        () = cut.cancelled() => {}
        () = overdue(&closing) => {}
        end = writer.run() => if end.is_err_and(|error| matches!(error.kind(), TimedOut | UnexpectedEof)) { cut.cancel() },
    }
    Done::Task
}
