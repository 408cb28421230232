//! The words between core and shell: what happened, what should be done, and what a person may see.
//!
//! Every queue, clock, socket and file is on the shell's side; every decision on the core's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::content::{Block, Metainfo, PieceIndex, PieceSet};
use crate::ids::{Digest, Endpoint, LinkId, PeerId, ShareId};
use crate::wire::{Message, WireError};

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection stands; nothing was said on it yet.
    Connected {
        /// Its new number.
        link: LinkId,
        /// The other side's observed address, unmapped.
        remote: SocketAddr,
        /// What [`Action::Dial`] asked for; none when the other side dialled.
        dialled: Option<(ShareId, Endpoint)>,
    },
    /// A dial came to nothing, or its name could not be resolved.
    DialFailed {
        /// For which share.
        share: ShareId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// A whole message arrived.
    Received {
        /// On which link.
        link: LinkId,
        /// The line.
        message: Message,
        /// What followed it.
        payload: Payload,
    },
    /// Bytes arrived that are no message. The core says goodbye and closes.
    Violated {
        /// On which link.
        link: LinkId,
        /// What was wrong.
        error: WireError,
    },
    /// Bytes of a long message arrive, or we are the ones who do not read: not silence. At most one a second and link.
    Alive {
        /// On which link.
        link: LinkId,
    },
    /// The connection is gone, for whatever reason, also after [`Action::Close`]. The last event of a link.
    Closed {
        /// Which link.
        link: LinkId,
    },
    /// What became of an [`Action::SendBlock`]: exactly one for each, unless the link closed first.
    Served {
        /// On which link.
        link: LinkId,
        /// Which block.
        block: Block,
        /// False when it could not be read: nothing was sent, and the core owes a NACK.
        sent: bool,
    },
    /// What became of an [`Action::Prepare`]: what is already there and verified, and what shall be there.
    Prepared {
        /// Which share.
        share: ShareId,
        /// Verified in this life of the process.
        held: PieceSet,
        /// To be downloaded or kept.
        wanted: PieceSet,
        /// Who was caught lying in earlier lives of this download.
        banned: Vec<Ban>,
        /// The leaves, as they lie there, of pieces that are there and wrong: some may be right.
        doubtful: BTreeMap<PieceIndex, Vec<Digest>>,
    },
    /// What became of an [`Action::Write`].
    Wrote {
        /// Which share.
        share: ShareId,
        /// Which block.
        block: Block,
        /// False when the disk refused; the shell has told the person.
        done: bool,
    },
    /// The content beneath these pieces changed or cannot be read any more: they are no longer held.
    Lost {
        /// Which share.
        share: ShareId,
        /// Which pieces.
        pieces: Vec<PieceIndex>,
    },
    /// The bytes of these pieces, which we wrote ourselves, are not what they were or never came to last: they are no longer
    /// held, nor half done, and are fetched again. What is being written of them counts for nothing.
    Spoiled {
        /// Which share.
        share: ShareId,
        /// Which pieces.
        pieces: Vec<PieceIndex>,
    },
    /// The disk takes nothing more of this share until [`Event::Resumed`]; the shell has told the person.
    Halted {
        /// Which share.
        share: ShareId,
    },
    /// The disk takes what it is given again.
    Resumed {
        /// Which share.
        share: ShareId,
    },
    /// The moment that `deadline()` named has come.
    DeadlineReached,
    /// The process is about to stop: every link gets its goodbye.
    Stopping,
}

/// What followed a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing; or what was never asked for on this link, which the shell threw away.
    None,
    /// Of BLOCO: the digest of each 16 KiB leaf, the bytes themselves being in the shell's hand until the next event.
    /// Of FOLHAS: the digests carried.
    Digests(Vec<Digest>),
    /// Of METADADOS: the bytes, at most 1 MiB.
    Bytes(Vec<u8>),
}

/// What should be done, in this order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Connect; answered by `Connected` or `DialFailed`.
    Dial {
        /// For which share.
        share: ShareId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// Say this; never a message with a payload.
    Send {
        /// To whom.
        link: LinkId,
        /// What.
        message: Message,
    },
    /// Send this part of the metainfo's served bytes as METADADOS.
    SendMetainfo {
        /// To whom.
        link: LinkId,
        /// Whose bytes.
        metainfo: Arc<Metainfo>,
        /// First byte; within the served bytes.
        start: usize,
        /// Bytes; at most 1 MiB, to within the end.
        length: u32,
    },
    /// Read this block and send it as BLOCO; answered by `Served`.
    SendBlock {
        /// To whom.
        link: LinkId,
        /// Of which share.
        share: ShareId,
        /// What.
        block: Block,
    },
    /// Read this piece, hash its leaves and send them as FOLHAS (empty if it cannot be read).
    SendLeaves {
        /// To whom.
        link: LinkId,
        /// Of which share.
        share: ShareId,
        /// Which piece.
        piece: PieceIndex,
    },
    /// Say farewell, if any, and close within a second; answered by `Closed`.
    Close {
        /// Which link.
        link: LinkId,
        /// The last word.
        farewell: Option<Message>,
    },
    /// The metainfo is known and true: see what is there of it; answered by `Prepared`.
    Prepare {
        /// Which share.
        share: ShareId,
        /// Its description.
        metainfo: Arc<Metainfo>,
    },
    /// Store the payload of the event in hand as this block; answered by `Wrote`. The payload is dropped otherwise.
    Write {
        /// Of which share.
        share: ShareId,
        /// Where.
        block: Block,
    },
    /// This piece is verified and written whole: count it for its file, and move that file when it is complete.
    Keep {
        /// Of which share.
        share: ShareId,
        /// Which piece.
        piece: PieceIndex,
    },
    /// Keep this ban with the download, for its later lives.
    Remember {
        /// Of which share.
        share: ShareId,
        /// Who is refused.
        ban: Ban,
    },
    /// Tell the person. May be lost under load; what matters is in the [`ShareView`] too.
    Tell(News),
}

/// A peer that is refused: its id as seen at that address, and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who it said it was.
    pub id: PeerId,
    /// Observed.
    pub ip: IpAddr,
    /// Where it accepted connections; 0 = nowhere.
    pub port: u16,
}

/// What a person may want to know as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A peer came, changed or went.
    Peer {
        /// In which share.
        share: ShareId,
        /// Who.
        id: PeerId,
        /// Observed.
        address: SocketAddr,
        /// `connected`, `seeding` (holds everything) or `gone`.
        state: &'static str,
    },
    /// A peer was caught lying and is refused from now on.
    Banned {
        /// In which share.
        share: ShareId,
        /// Who.
        id: PeerId,
        /// Observed.
        address: SocketAddr,
        /// What it did.
        reason: String,
    },
    /// A peer broke the wire's rules, or the swarm is in some trouble that the person can mend.
    Trouble {
        /// In which share, where that is known.
        share: Option<ShareId>,
        /// One line.
        text: String,
    },
}

/// A share as a person may see it, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareView {
    /// Which share.
    pub share: ShareId,
    /// Its description, once known.
    pub metainfo: Option<Arc<Metainfo>>,
    /// Whether what is there already has been verified, so that the figures below mean something.
    pub prepared: bool,
    /// Whether any peer answered since the start; a tracker counts where it has content.
    pub reached: bool,
    /// Whether somebody whom the person named answered and refused, which was told.
    pub refused: bool,
    /// Whether anybody linked says that it has something of what is missing here, or is sending the description, or has not yet
    /// said that it cannot.
    pub offered: bool,
    /// Bytes held of what is wanted, whole verified pieces.
    pub done_bytes: u64,
    /// Bytes wanted.
    pub total_bytes: u64,
    /// Pieces held, wanted or not.
    pub held: Option<PieceSet>,
    /// Whether the disk takes nothing, and nobody is asked therefore.
    pub halted: bool,
    /// Everything wanted is verified and written.
    pub complete: bool,
    /// Payload bytes sent since the start.
    pub sent_bytes: u64,
    /// Payload bytes of use, received from those who held everything when we met.
    pub from_seed_bytes: u64,
    /// Payload bytes of use, received from others.
    pub from_peer_bytes: u64,
    /// Payload bytes received in vain: late, twice, never asked for, or false.
    pub wasted_bytes: u64,
    /// Bytes a second, received.
    pub down_rate: u64,
    /// Bytes a second, sent.
    pub up_rate: u64,
    /// Copies of the share among those we see, ourselves included, in hundredths: the rarest piece's count, and
    /// the fraction of pieces that have more.
    pub copies_percent: u64,
    /// Who is linked.
    pub peers: Vec<PeerView>,
}

/// A linked peer as a person may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Who.
    pub id: PeerId,
    /// Observed.
    pub address: SocketAddr,
    /// What program it says it is.
    pub agent: String,
    /// Whether it is a tracker.
    pub is_tracker: bool,
    /// Pieces it holds.
    pub pieces: u32,
    /// Bytes a second from it.
    pub down_rate: u64,
    /// Bytes a second to it.
    pub up_rate: u64,
    /// Payload bytes received from it that we had asked for.
    pub received_bytes: u64,
    /// Payload bytes sent to it.
    pub sent_bytes: u64,
}
