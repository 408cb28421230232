//! What processes say to each other: messages and frames of the wire, version 1. Believes nothing.
//!
//! `wire.md`, in this folder, is the law. Where it is silent, this side does as follows.
//!
//! **Words of a later version** in a known key are taken softly: an unknown `papel` is a peer, an unknown
//! `objetivo` is none, an unknown `codigo` is [`ErrorCode::Other`], an unknown `motivo` is
//! [`NackReason::Failed`]. A known key of another type, `null` included, is an error. Which keys are known
//! depends on the `tipo`: `peers` in a `PEDIDO` is an unknown key.
//!
//! **A `REGISTRO` of another version** is told so whatever its other keys look like.
//!
//! **Text** (`agente`, `mensagem`) with a control character in it, raw or escaped, is an error; longer text is cut.
//!
//! **Escapes** of half a surrogate pair are an error anywhere, also inside unknown keys.
//!
//! **Payloads.** `BLOCO` is never empty. `FOLHAS` is a multiple of 32 bytes. `METADADOS` has `tamanho` 0 exactly
//! when `total` is 0, lies within `total`, and `total` is within the metainfo's limit.
//!
//! **Lists.** `ESTOQUE` has at least one of its two keys; each run has `first <= last < 2^21`, in any order.
//! `LISTA_PEERS` has at most 200 entries; an entry with `porta` 0 is read, and of use to nobody.
//!
//! **Without end** nothing may be done: all of a stock may change eight times in the life of a link, 300 parts of the
//! metainfo are sent on one; changes of interest, chokes and news of nothing new may come two hundred a second, and four
//! thousand at once: all then a protocol error. Of places to dial a peer is heard a thousand a minute. A request that comes
//! within 2 s of our choke may have crossed it and is not counted.
//!
//! **A payload nobody asked for** is read and dropped whatever its `tipo`, and over 300 of all kinds close the link.
//!
//! **Leaves** of more than 16 pieces that one peer asks for between two inspections are not told: `tamanho` is 0, as of what is
//! not held.
//!
//! **From one address** 64 connections are taken, and 96 from one network (a /24, or a /48 of IPv6), more only from this
//! machine and its site. Of too many that have not sent their `REGISTRO` (32 from one address, or half of all), the oldest
//! is closed without a word. Of those that one address makes at a stretch 512 are listened to at once, then fifty a second;
//! who would have to wait for its turn longer than half a second is closed without a word.
//!
//! **Who makes no use of its place** gives it up: a peer that is served and asks for nothing for a second comes after all who
//! ask, and where all links of a share are taken, the oldest that has nothing for us and for a minute neither gave nor asked
//! makes room for a newcomer: with a tracker it is registered from then on, and no more until it comes again; with others
//! closed as `cheio`.
//!
//! **Of one public address** (64 bits of an IPv6 one) are at most a quarter of a share's links, those we dialled not
//! counted, half of its network, and 64 places in a register; on loopback and in private ranges many honest peers may be
//! seen at one, and nothing is bound. Who has nobody to repay serves those of one address together as one who comes back;
//! two of a share's links are kept for whom we dial ourselves.
//!
//! **Whoever takes slowly** what is sent, less than 1 KiB/s over more than 60 s, is left.
//!
//! **Hearsay.** A port below 1024 is not dialled because somebody says so, nor more than eight of one public address.
//! Loopback addresses are believed only of peers seen from loopback, private ones only of those seen from a private range,
//! and of whom the person named.
//!
//! **A ban** covers the stated port only where nobody else is linked who accepts connections there.
//!
//! **The metainfo** comes at 1 KiB/s on average, after twenty seconds, or another is asked for it.
//!
//! **The first byte** may also be one of the blanks that JSON allows before `{`.

pub mod frame;
pub mod message;
pub mod stock;

pub use frame::{LINE_BYTES_MAX, PAYLOAD_BYTES_MAX, Protocol, WireError, decode, encode, first_byte, split};
pub use message::{ErrorCode, Goal, Message, NackReason, PeerAddress, Role};
pub use stock::stock_messages;
