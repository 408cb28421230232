//! One message to its line: compact, `tipo` first, and never over the limit whatever the message holds.

use std::fmt::{Arguments, Display};
use std::io::Write;

use super::{AGENT_BYTES_MAX, PEERS_MAX, TEXT_BYTES_MAX, cut};
use crate::wire::message::{ErrorCode, Goal, Message, NackReason, PeerAddress, Role};
use crate::wire::stock::{RUNS_MAX, shared_out};

/// Appends the line of `message`, LF included, to `out`.
///
/// Text is cut to what the reader keeps, a list of peers to [`PEERS_MAX`]. A stock too long for a line (see
/// [`stock_messages`](crate::wire::stock_messages), which shares it out beforehand) goes on in lines of `novos`.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let line = match message {
        Message::Register { .. } => register(out, message),
        Message::PeerList(peers) => peer_list(out, peers),
        Message::NewPeer(peer) => Line::open(out, "NOVO_PEER").raw("peer", Entry(peer)),
        Message::Stock { all, more } if is_too_long(all.as_deref(), more.as_deref()) => {
            return shared_out(all.as_deref(), more.as_deref()).iter().for_each(|part| encode(part, out));
        }
        Message::Stock { all, more } => stock(out, all.as_deref(), more.as_deref()),
        Message::MetainfoRequest { start } => Line::open(out, "PEDIDO_METADADOS").raw("inicio", start),
        Message::Metainfo { start, length, total } => {
            Line::open(out, "METADADOS").raw("inicio", start).raw("tamanho", length).raw("total", total)
        }
        Message::Interested => Line::open(out, "INTERESSADO"),
        Message::NotInterested => Line::open(out, "DESINTERESSADO"),
        Message::Unchoke => Line::open(out, "LIBERADO"),
        Message::Choke => Line::open(out, "BLOQUEADO"),
        Message::Request { piece, start, length } => Line::range(out, "PEDIDO", *piece, *start, *length),
        Message::Block { piece, start, length } => {
            Line::range(out, "BLOCO", *piece, *start, u64::from(*length))
        }
        Message::Nack { piece, start, length, reason } => {
            Line::range(out, "NACK", *piece, *start, *length).word("motivo", reason_word(*reason))
        }
        Message::Cancel { piece, start, length } => Line::range(out, "CANCELA", *piece, *start, *length),
        Message::Suggest { piece } => Line::open(out, "SUGESTAO").raw("bloco", piece),
        Message::LeavesRequest { piece } => Line::open(out, "PEDIDO_FOLHAS").raw("bloco", piece),
        Message::Leaves { piece, length } => {
            Line::open(out, "FOLHAS").raw("bloco", piece).raw("tamanho", length)
        }
        Message::Heartbeat => Line::open(out, "BATIMENTO"),
        Message::Goodbye => Line::open(out, "DESLIGAMENTO"),
        Message::Error { code, text } => {
            Line::open(out, "ERRO").word("codigo", code_word(*code)).text("mensagem", text, TEXT_BYTES_MAX)
        }
    };
    line.close();
}

/// A line being written: open, any number of keys, close.
struct Line<'a>(&'a mut Vec<u8>);

impl<'a> Line<'a> {
    fn open(out: &'a mut Vec<u8>, tipo: &str) -> Line<'a> {
        Line(out).put(format_args!("{{\"tipo\":\"{tipo}\""))
    }

    fn range(out: &'a mut Vec<u8>, tipo: &str, piece: u64, start: u64, length: u64) -> Line<'a> {
        Line::open(out, tipo).raw("bloco", piece).raw("inicio", start).raw("tamanho", length)
    }

    fn close(self) {
        self.put(format_args!("}}\n"));
    }

    /// A key whose value is JSON as it is.
    fn raw(self, key: &str, value: impl Display) -> Line<'a> {
        self.put(format_args!(",\"{key}\":{value}"))
    }

    /// A key whose value has nothing to escape.
    fn word(self, key: &str, word: impl Display) -> Line<'a> {
        self.put(format_args!(",\"{key}\":\"{word}\""))
    }

    /// A key whose value may be anything; a reader would refuse control characters.
    fn text(self, key: &str, text: &str, bytes_max: usize) -> Line<'a> {
        let printable = cut(text, bytes_max).replace(char::is_control, " ");
        let Line(out) = self.put(format_args!(",\"{key}\":"));
        serde_json::to_writer(&mut *out, &printable).expect("a Vec takes every byte");
        Line(out)
    }

    /// A key whose value is a list of JSON as it is.
    fn list(self, key: &str, values: impl Iterator<Item = impl Display>) -> Line<'a> {
        let line = self.put(format_args!(",\"{key}\":["));
        let comma = |n| if n > 0 { "," } else { "" };
        values
            .enumerate()
            .fold(line, |line, (n, value)| line.put(format_args!("{}{value}", comma(n))))
            .put(format_args!("]"))
    }

    fn put(self, words: Arguments<'_>) -> Line<'a> {
        self.0.write_fmt(words).expect("a Vec takes every byte");
        self
    }
}

struct Entry<'a>(&'a PeerAddress);

impl Display for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let PeerAddress { id, ip, port } = self.0;
        write!(f, "{{\"id\":\"{id}\",\"ip\":\"{}\",\"porta\":{port}}}", ip.to_canonical())
    }
}

struct Run<'a>(&'a [u64; 2]);

impl Display for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{},{}]", self.0[0], self.0[1])
    }
}

fn register<'a>(out: &'a mut Vec<u8>, message: &Message) -> Line<'a> {
    let Message::Register { id, share, port, agent, role, goal } = message else {
        unreachable!("only called for a REGISTRO");
    };
    let line = Line::open(out, "REGISTRO").raw("versao", 1).word("id", id).word("compartilhamento", share);
    let line = line.raw("porta", port).text("agente", agent, AGENT_BYTES_MAX);
    let line = match role {
        Role::Peer => line,
        Role::Tracker => line.word("papel", "tracker"),
    };
    match goal {
        None => line,
        Some(Goal::Reciprocal) => line.word("objetivo", "reciproco"),
        Some(Goal::LastPeer) => line.word("objetivo", "ultimo_par"),
    }
}

fn peer_list<'a>(out: &'a mut Vec<u8>, peers: &[PeerAddress]) -> Line<'a> {
    Line::open(out, "LISTA_PEERS").list("peers", peers.iter().take(PEERS_MAX).map(Entry))
}

fn stock<'a>(out: &'a mut Vec<u8>, all: Option<&[[u64; 2]]>, more: Option<&[[u64; 2]]>) -> Line<'a> {
    let line = Line::open(out, "ESTOQUE");
    let line = all.into_iter().fold(line, |line, runs| line.list("estoque", runs.iter().map(Run)));
    more.into_iter().fold(line, |line, runs| line.list("novos", runs.iter().map(Run)))
}

fn is_too_long(all: Option<&[[u64; 2]]>, more: Option<&[[u64; 2]]>) -> bool {
    all.map_or(0, <[_]>::len) + more.map_or(0, <[_]>::len) > RUNS_MAX
}

fn reason_word(reason: NackReason) -> &'static str {
    match reason {
        NackReason::Choked => "bloqueado",
        NackReason::Absent => "ausente",
        NackReason::Full => "cheio",
        NackReason::Cancelled => "cancelado",
        NackReason::Failed => "erro",
    }
}

fn code_word(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Protocol => "protocolo",
        ErrorCode::Version => "versao",
        ErrorCode::NoSuchShare => "sem_compartilhamento",
        ErrorCode::Duplicate => "duplicado",
        ErrorCode::Full => "cheio",
        ErrorCode::Banned => "banido",
        ErrorCode::Busy => "ocupado",
        ErrorCode::Internal => "interno",
        ErrorCode::Other => "outro",
    }
}
