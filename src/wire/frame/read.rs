//! One line to one message: first its `tipo`, then the keys that this `tipo` has. Checks what needs no share at hand.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

use super::object::Object;
use super::{AGENT_BYTES_MAX, LINE_BYTES_MAX, PAYLOAD_BYTES_MAX, PEERS_MAX, TEXT_BYTES_MAX, WireError};
use super::{cut, keys, scan};
use crate::content::geometry::PIECES_MAX;
use crate::content::metainfo::METAINFO_BYTES_MAX;
use crate::ids::NotHex;
use crate::wire::message::{ErrorCode, Goal, Message, NackReason, PeerAddress, Role};

/// The most bytes of an error's text: the rest of it would only repeat the line.
const ERROR_BYTES_MAX: usize = 200;

type Read<T> = Result<T, WireError>;

/// Reads one line, its LF taken off. `None` is a message of a later version, to be ignored.
pub fn decode(line: &[u8]) -> Result<Option<Message>, WireError> {
    if line.len() >= LINE_BYTES_MAX {
        return Err(WireError::LineTooLong);
    }
    let line = std::str::from_utf8(line).map_err(|_| malformed("a line that is not UTF-8"))?;
    scan::check(line.as_bytes()).map_err(malformed)?;
    let tipo = match tipo_at_start(line) {
        Some(tipo) => Cow::Borrowed(tipo),
        None => object::<keys::Head>(line)?.tipo,
    };
    message(&tipo, line)
}

/// The `tipo` where it stands as everybody writes it; spares the busy messages one of two readings.
fn tipo_at_start(line: &str) -> Option<&str> {
    let (tipo, _) = line.strip_prefix("{\"tipo\":\"")?.split_once('"')?;
    (!tipo.contains('\\')).then_some(tipo)
}

fn message(tipo: &str, line: &str) -> Read<Option<Message>> {
    let message = match tipo {
        "PEDIDO" => request(&object(line)?)?,
        "BLOCO" => block(&object(line)?)?,
        "ESTOQUE" => stock(object(line)?)?,
        "NACK" => nack(&object(line)?),
        "CANCELA" => cancel(&object(line)?),
        "SUGESTAO" => Message::Suggest { piece: object::<keys::Piece>(line)?.bloco },
        "PEDIDO_FOLHAS" => Message::LeavesRequest { piece: object::<keys::Piece>(line)?.bloco },
        "FOLHAS" => leaves(&object(line)?)?,
        "PEDIDO_METADADOS" => Message::MetainfoRequest { start: object::<keys::Start>(line)?.inicio },
        "METADADOS" => metainfo(&object(line)?)?,
        "REGISTRO" => register(line)?,
        "LISTA_PEERS" => peer_list(object(line)?)?,
        "NOVO_PEER" => Message::NewPeer(peer(object::<keys::NewPeer>(line)?.peer)?),
        "ERRO" => error(&object(line)?)?,
        bare => return object::<keys::Head>(line).map(|_| without_keys(bare)),
    };
    Ok(Some(message))
}

fn without_keys(tipo: &str) -> Option<Message> {
    match tipo {
        "INTERESSADO" => Some(Message::Interested),
        "DESINTERESSADO" => Some(Message::NotInterested),
        "LIBERADO" => Some(Message::Unchoke),
        "BLOQUEADO" => Some(Message::Choke),
        "BATIMENTO" => Some(Message::Heartbeat),
        "DESLIGAMENTO" => Some(Message::Goodbye),
        _ => None,
    }
}

fn register(line: &str) -> Read<Message> {
    let keys::Version { versao } = object(line)?;
    if versao != 1 {
        return Err(WireError::Version(versao));
    }
    let keys: keys::Register = object(line)?;
    Ok(Message::Register {
        id: hex("id", &keys.id)?,
        share: hex("compartilhamento", &keys.compartilhamento)?,
        port: port(keys.porta)?,
        agent: text("agente", &keys.agente, AGENT_BYTES_MAX)?,
        role: if keys.papel.as_deref() == Some("tracker") { Role::Tracker } else { Role::Peer },
        goal: match keys.objetivo.as_deref() {
            Some("reciproco") => Some(Goal::Reciprocal),
            Some("ultimo_par") => Some(Goal::LastPeer),
            _ => None,
        },
    })
}

fn peer_list(keys: keys::Peers<'_>) -> Read<Message> {
    if keys.peers.len() > PEERS_MAX {
        return Err(malformed(format_args!("a list of {} peers, more than {PEERS_MAX}", keys.peers.len())));
    }
    keys.peers.into_iter().map(peer).collect::<Read<_>>().map(Message::PeerList)
}

fn peer(Object(keys): Object<keys::Peer<'_>>) -> Read<PeerAddress> {
    let ip: IpAddr = keys.ip.parse().map_err(|_| malformed("an ip that is no address"))?;
    Ok(PeerAddress { id: hex("id", &keys.id)?, ip: ip.to_canonical(), port: port(keys.porta)? })
}

fn stock(keys: keys::Stock) -> Read<Message> {
    if keys.estoque.is_none() && keys.novos.is_none() {
        return Err(malformed("ESTOQUE without estoque and novos"));
    }
    for [first, last] in [&keys.estoque, &keys.novos].into_iter().flatten().flatten() {
        if first > last || *last >= u64::from(PIECES_MAX) {
            return Err(malformed(format_args!("pieces {first} to {last}")));
        }
    }
    Ok(Message::Stock { all: keys.estoque, more: keys.novos })
}

fn metainfo(keys: &keys::Metainfo) -> Read<Message> {
    let length = payload(keys.tamanho)?;
    let absent = keys.total == 0 && length == 0;
    let inside = length > 0 && keys.inicio.checked_add(keys.tamanho).is_some_and(|end| end <= keys.total);
    if !(absent || inside) || keys.total > METAINFO_BYTES_MAX as u64 {
        let keys::Metainfo { inicio, tamanho, total, .. } = keys;
        return Err(malformed(format_args!("bytes {inicio}+{tamanho} of a metainfo of {total}")));
    }
    Ok(Message::Metainfo { start: keys.inicio, length, total: keys.total })
}

fn request(keys: &keys::Range) -> Read<Message> {
    if keys.tamanho == 0 {
        return Err(malformed("PEDIDO of no bytes"));
    }
    Ok(Message::Request { piece: keys.bloco, start: keys.inicio, length: keys.tamanho })
}

fn block(keys: &keys::Range) -> Read<Message> {
    if keys.tamanho == 0 {
        return Err(malformed("BLOCO of no bytes"));
    }
    Ok(Message::Block { piece: keys.bloco, start: keys.inicio, length: payload(keys.tamanho)? })
}

fn cancel(keys: &keys::Range) -> Message {
    Message::Cancel { piece: keys.bloco, start: keys.inicio, length: keys.tamanho }
}

fn nack(keys: &keys::Nack<'_>) -> Message {
    let reason = match &*keys.motivo {
        "bloqueado" => NackReason::Choked,
        "ausente" => NackReason::Absent,
        "cheio" => NackReason::Full,
        "cancelado" => NackReason::Cancelled,
        _ => NackReason::Failed,
    };
    Message::Nack { piece: keys.bloco, start: keys.inicio, length: keys.tamanho, reason }
}

fn leaves(keys: &keys::Leaves) -> Read<Message> {
    let length = payload(keys.tamanho)?;
    if !length.is_multiple_of(32) {
        return Err(malformed(format_args!("FOLHAS of {length} bytes, not a multiple of 32")));
    }
    Ok(Message::Leaves { piece: keys.bloco, length })
}

fn error(keys: &keys::Failure<'_>) -> Read<Message> {
    let code = match &*keys.codigo {
        "protocolo" => ErrorCode::Protocol,
        "versao" => ErrorCode::Version,
        "sem_compartilhamento" => ErrorCode::NoSuchShare,
        "duplicado" => ErrorCode::Duplicate,
        "cheio" => ErrorCode::Full,
        "banido" => ErrorCode::Banned,
        "ocupado" => ErrorCode::Busy,
        "interno" => ErrorCode::Internal,
        _ => ErrorCode::Other,
    };
    Ok(Message::Error { code, text: text("mensagem", &keys.mensagem, TEXT_BYTES_MAX)? })
}

fn object<'a, T: Deserialize<'a>>(line: &'a str) -> Read<T> {
    serde_json::from_str(line).map(|Object(keys)| keys).map_err(malformed)
}

fn hex<T: FromStr<Err = NotHex>>(key: &str, word: &str) -> Read<T> {
    word.parse().map_err(|fault| malformed(format_args!("{key}: {fault}")))
}

fn port(number: u64) -> Read<u16> {
    u16::try_from(number).map_err(|_| malformed(format_args!("port {number}")))
}

fn payload(length: u64) -> Read<u32> {
    let length_checked = u32::try_from(length).ok().filter(|length| *length <= PAYLOAD_BYTES_MAX);
    length_checked.ok_or(WireError::PayloadTooLong(length))
}

fn text(key: &str, words: &str, bytes_max: usize) -> Read<String> {
    if words.contains(char::is_control) {
        return Err(malformed(format_args!("a control character in {key}")));
    }
    Ok(cut(words, bytes_max).to_owned())
}

/// An error whose text is safe to show: a JSON reader's complaint repeats what it was given.
fn malformed(fault: impl Display) -> WireError {
    let fault = fault.to_string().escape_debug().to_string();
    WireError::Malformed(cut(&fault, ERROR_BYTES_MAX).to_owned())
}
