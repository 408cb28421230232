//! How many bytes a message is on the wire, without writing the frequent ones.

use std::net::IpAddr;

use minibit::wire::{Message, PeerAddress, encode};

/// The encoder cuts longer lists.
const LISTED_MAX: usize = 200;

/// Bytes of the line of `message`, LF included; its payload apart.
pub fn line_bytes(message: &Message) -> u64 {
    match message {
        Message::Request { piece, start, length } => range("PEDIDO", *piece, *start, *length),
        Message::Cancel { piece, start, length } => range("CANCELA", *piece, *start, *length),
        Message::Block { piece, start, length } => range("BLOCO", *piece, *start, u64::from(*length)),
        Message::Stock { all: None, more: Some(runs) } if runs.len() <= 16 => {
            let commas = runs.len().saturating_sub(1) as u64;
            let numbers: u64 = runs.iter().map(|run| 3 + digits(run[0]) + digits(run[1])).sum();
            r#"{"tipo":"ESTOQUE","novos":[]}"#.len() as u64 + 1 + commas + numbers
        }
        Message::PeerList(peers)
            if peers.len() <= LISTED_MAX && peers.iter().all(|peer| peer.ip.is_ipv4()) =>
        {
            let commas = peers.len().saturating_sub(1) as u64;
            let entries: u64 = peers.iter().map(address).sum();
            r#"{"tipo":"LISTA_PEERS","peers":[]}"#.len() as u64 + 1 + commas + entries
        }
        _ => {
            let mut line = Vec::new();
            encode(message, &mut line);
            line.len() as u64
        }
    }
}

/// An IPv4 address in a list.
fn address(peer: &PeerAddress) -> u64 {
    let IpAddr::V4(ip) = peer.ip else { return 0 };
    let numbers: u64 = ip.octets().into_iter().map(|octet| digits(u64::from(octet))).sum();
    let frame = r#"{"id":"","ip":"...","porta":}"#.len() + 40;
    frame as u64 + numbers + digits(u64::from(peer.port))
}

fn range(tipo: &str, piece: u64, start: u64, length: u64) -> u64 {
    let frame = r#"{"tipo":"","bloco":,"inicio":,"tamanho":}"#.len() + 1;
    (frame + tipo.len()) as u64 + digits(piece) + digits(start) + digits(length)
}

fn digits(number: u64) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_what_the_encoder_writes() {
        let mut messages = Vec::new();
        for number in [0, 1, 9, 10, 99, 100, 65_536, 1_048_575] {
            let (piece, start, length) = (number, number * 2, number + 1);
            let carried = u32::try_from(length).unwrap();
            messages.push(Message::Request { piece, start, length });
            messages.push(Message::Cancel { piece, start, length });
            messages.push(Message::Block { piece, start, length: carried });
            for runs in 0..20 {
                messages.push(Message::Stock { all: None, more: Some(vec![[number, number + 90]; runs]) });
            }
        }
        for count in [0, 1, 2, 200] {
            let ip = IpAddr::from([10, 0, 200, 3]);
            let peer = |port| PeerAddress { id: minibit::ids::PeerId([7; 20]), ip, port };
            messages.push(Message::PeerList((1..=count).map(|n| peer(n * 97)).collect()));
        }
        for message in messages {
            let mut line = Vec::new();
            encode(&message, &mut line);
            assert_eq!(line_bytes(&message), line.len() as u64, "{}", String::from_utf8_lossy(&line));
        }
    }
}
