//! The messages, as the code names them; numbers are still the sender's word, see `content::Geometry`.

use std::net::IpAddr;

use crate::ids::{PeerId, ShareId};

/// What part a process plays in a share (`papel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `par`
    Peer,
    /// `tracker`
    Tracker,
}

/// What a share's swarm is after (`objetivo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// `reciproco`: tit for tat.
    Reciprocal,
    /// `ultimo_par`: all finish soonest.
    LastPeer,
}

/// Why a request is not answered with bytes (`motivo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NackReason {
    /// `bloqueado`: you are choked.
    Choked,
    /// `ausente`: not held here.
    Absent,
    /// `cheio`: too many requests wait.
    Full,
    /// `cancelado`: as you asked.
    Cancelled,
    /// `erro`: it could not be read.
    Failed,
}

/// Why a connection is about to close (`codigo`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// `protocolo`
    Protocol,
    /// `versao`
    Version,
    /// `sem_compartilhamento`
    NoSuchShare,
    /// `duplicado`
    Duplicate,
    /// `cheio`
    Full,
    /// `banido`
    Banned,
    /// `ocupado`
    Busy,
    /// `interno`
    Internal,
    /// A code of a later version.
    Other,
}

/// Somebody to connect to: `{id, ip, porta}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddress {
    /// Who it says it is.
    pub id: PeerId,
    /// Unmapped.
    pub ip: IpAddr,
    /// Never 0 in what we send.
    pub port: u16,
}

/// One message, its payload apart (see [`Message::payload_bytes`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// `REGISTRO`: first in both directions. `versao` is checked on reading.
    Register {
        /// Chosen by each process.
        id: PeerId,
        /// Which share this link is for.
        share: ShareId,
        /// Where it accepts connections; 0 = nowhere.
        port: u16,
        /// Program and version, at most 256 bytes kept.
        agent: String,
        /// Its part.
        role: Role,
        /// The share's goal, where it was said.
        goal: Option<Goal>,
    },
    /// `LISTA_PEERS`
    PeerList(Vec<PeerAddress>),
    /// `NOVO_PEER`
    NewPeer(PeerAddress),
    /// `ESTOQUE`: inclusive runs of pieces.
    Stock {
        /// Replaces what the sender is known to hold.
        all: Option<Vec<[u64; 2]>>,
        /// Adds to it.
        more: Option<Vec<[u64; 2]>>,
    },
    /// `PEDIDO_METADADOS`
    MetainfoRequest {
        /// The first byte wanted.
        start: u64,
    },
    /// `METADADOS`, with a payload.
    Metainfo {
        /// The first byte carried.
        start: u64,
        /// Bytes carried.
        length: u32,
        /// Bytes in all; 0 = not held.
        total: u64,
    },
    /// `INTERESSADO`
    Interested,
    /// `DESINTERESSADO`
    NotInterested,
    /// `LIBERADO`
    Unchoke,
    /// `BLOQUEADO`
    Choke,
    /// `PEDIDO`
    Request {
        /// Piece.
        piece: u64,
        /// First byte within it.
        start: u64,
        /// Bytes; never 0 once read.
        length: u64,
    },
    /// `BLOCO`, with a payload.
    Block {
        /// Piece.
        piece: u64,
        /// First byte within it.
        start: u64,
        /// Bytes carried.
        length: u32,
    },
    /// `NACK`
    Nack {
        /// Piece.
        piece: u64,
        /// First byte within it.
        start: u64,
        /// Bytes.
        length: u64,
        /// Why.
        reason: NackReason,
    },
    /// `CANCELA`
    Cancel {
        /// Piece.
        piece: u64,
        /// First byte within it.
        start: u64,
        /// Bytes.
        length: u64,
    },
    /// `SUGESTAO`
    Suggest {
        /// A good one to ask for.
        piece: u64,
    },
    /// `PEDIDO_FOLHAS`
    LeavesRequest {
        /// Whose leaf hashes.
        piece: u64,
    },
    /// `FOLHAS`, with a payload of 32 bytes a leaf.
    Leaves {
        /// Whose leaf hashes.
        piece: u64,
        /// Bytes carried; 0 = not held.
        length: u32,
    },
    /// `BATIMENTO`
    Heartbeat,
    /// `DESLIGAMENTO`
    Goodbye,
    /// `ERRO`
    Error {
        /// Why.
        code: ErrorCode,
        /// For a person; at most 1,000 bytes kept.
        text: String,
    },
}

impl Message {
    /// Raw bytes that follow the line.
    pub fn payload_bytes(&self) -> u32 {
        match self {
            Message::Metainfo { length, .. }
            | Message::Block { length, .. }
            | Message::Leaves { length, .. } => *length,
            _ => 0,
        }
    }
}
