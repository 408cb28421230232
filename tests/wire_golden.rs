//! One line of every message, as `wire.md` writes it, both ways. Kept for ever: old and new must go on talking.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use minibit::ids::{PeerId, ShareId};
use minibit::wire::frame::PEERS_MAX;
use minibit::wire::stock::RUNS_MAX;
use minibit::wire::{
    ErrorCode, Goal, LINE_BYTES_MAX, Message, NackReason, PeerAddress, Role, decode, encode, stock_messages,
};

const ID: PeerId = PeerId([0xab; 20]);
const SHARE: ShareId = ShareId([0x0c; 32]);

fn register(role: Role, goal: Option<Goal>) -> Message {
    Message::Register { id: ID, share: SHARE, port: 7070, agent: "minibit/0.1 \"é\"".into(), role, goal }
}

fn address(ip: &str) -> PeerAddress {
    PeerAddress { id: ID, ip: ip.parse().unwrap(), port: 65535 }
}

fn register_line(rest: &str) -> String {
    let (id, share) = ("ab".repeat(20), "0c".repeat(32));
    format!(
        r#"{{"tipo":"REGISTRO","versao":1,"id":"{id}","compartilhamento":"{share}","porta":7070,"agente":"minibit/0.1 \"é\""{rest}}}"#
    )
}

fn entry(ip: &str) -> String {
    format!(r#"{{"id":"{}","ip":"{ip}","porta":65535}}"#, "ab".repeat(20))
}

fn range(tipo: &str, rest: &str) -> String {
    format!(r#"{{"tipo":"{tipo}","bloco":7,"inicio":16384,"tamanho":32768{rest}}}"#)
}

fn nack(reason: NackReason) -> Message {
    Message::Nack { piece: 7, start: 16384, length: 32768, reason }
}

fn error(code: ErrorCode) -> Message {
    Message::Error { code, text: "porquê".into() }
}

fn plain(tipo: &str) -> String {
    format!(r#"{{"tipo":"{tipo}"}}"#)
}

fn golden() -> Vec<(String, Message)> {
    let two = vec![address("192.0.2.1"), address("2001:db8::1")];
    let mut lines = vec![
        (register_line(""), register(Role::Peer, None)),
        (register_line(r#","papel":"tracker""#), register(Role::Tracker, None)),
        (register_line(r#","objetivo":"reciproco""#), register(Role::Peer, Some(Goal::Reciprocal))),
        (
            register_line(r#","papel":"tracker","objetivo":"ultimo_par""#),
            register(Role::Tracker, Some(Goal::LastPeer)),
        ),
        (r#"{"tipo":"LISTA_PEERS","peers":[]}"#.into(), Message::PeerList(vec![])),
        (
            format!(r#"{{"tipo":"LISTA_PEERS","peers":[{},{}]}}"#, entry("192.0.2.1"), entry("2001:db8::1")),
            Message::PeerList(two),
        ),
        (
            format!(r#"{{"tipo":"NOVO_PEER","peer":{}}}"#, entry("192.0.2.1")),
            Message::NewPeer(address("192.0.2.1")),
        ),
        (r#"{"tipo":"ESTOQUE","estoque":[]}"#.into(), Message::Stock { all: Some(vec![]), more: None }),
        (
            r#"{"tipo":"ESTOQUE","estoque":[[0,1023]]}"#.into(),
            Message::Stock { all: Some(vec![[0, 1023]]), more: None },
        ),
        (
            r#"{"tipo":"ESTOQUE","novos":[[7,7],[9,2097151]]}"#.into(),
            Message::Stock { all: None, more: Some(vec![[7, 7], [9, 2_097_151]]) },
        ),
        (
            r#"{"tipo":"ESTOQUE","estoque":[[0,1]],"novos":[[3,3]]}"#.into(),
            Message::Stock { all: Some(vec![[0, 1]]), more: Some(vec![[3, 3]]) },
        ),
        (r#"{"tipo":"PEDIDO_METADADOS","inicio":0}"#.into(), Message::MetainfoRequest { start: 0 }),
        (
            r#"{"tipo":"METADADOS","inicio":1048576,"tamanho":4096,"total":1052672}"#.into(),
            Message::Metainfo { start: 1_048_576, length: 4096, total: 1_052_672 },
        ),
        (
            r#"{"tipo":"METADADOS","inicio":0,"tamanho":0,"total":0}"#.into(),
            Message::Metainfo { start: 0, length: 0, total: 0 },
        ),
        (range("PEDIDO", ""), Message::Request { piece: 7, start: 16384, length: 32768 }),
        (range("BLOCO", ""), Message::Block { piece: 7, start: 16384, length: 32768 }),
        (range("CANCELA", ""), Message::Cancel { piece: 7, start: 16384, length: 32768 }),
        (r#"{"tipo":"SUGESTAO","bloco":18446744073709551615}"#.into(), Message::Suggest { piece: u64::MAX }),
        (r#"{"tipo":"PEDIDO_FOLHAS","bloco":7}"#.into(), Message::LeavesRequest { piece: 7 }),
        (r#"{"tipo":"FOLHAS","bloco":7,"tamanho":64}"#.into(), Message::Leaves { piece: 7, length: 64 }),
        (r#"{"tipo":"FOLHAS","bloco":7,"tamanho":0}"#.into(), Message::Leaves { piece: 7, length: 0 }),
        (plain("INTERESSADO"), Message::Interested),
        (plain("DESINTERESSADO"), Message::NotInterested),
        (plain("LIBERADO"), Message::Unchoke),
        (plain("BLOQUEADO"), Message::Choke),
        (plain("BATIMENTO"), Message::Heartbeat),
        (plain("DESLIGAMENTO"), Message::Goodbye),
    ];
    lines.extend(golden_words());
    lines
}

fn golden_words() -> Vec<(String, Message)> {
    let reasons = [
        ("bloqueado", NackReason::Choked),
        ("ausente", NackReason::Absent),
        ("cheio", NackReason::Full),
        ("cancelado", NackReason::Cancelled),
        ("erro", NackReason::Failed),
    ];
    let codes = [
        ("protocolo", ErrorCode::Protocol),
        ("versao", ErrorCode::Version),
        ("sem_compartilhamento", ErrorCode::NoSuchShare),
        ("duplicado", ErrorCode::Duplicate),
        ("cheio", ErrorCode::Full),
        ("banido", ErrorCode::Banned),
        ("ocupado", ErrorCode::Busy),
        ("interno", ErrorCode::Internal),
    ];
    let nacks =
        reasons.map(|(word, reason)| (range("NACK", &format!(r#","motivo":"{word}""#)), nack(reason)));
    let errors = codes.map(|(word, code)| {
        (format!(r#"{{"tipo":"ERRO","codigo":"{word}","mensagem":"porquê"}}"#), error(code))
    });
    nacks.into_iter().chain(errors).collect()
}

fn line(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out);
    out
}

#[test]
fn every_message_is_written_as_its_golden_line() {
    for (golden, message) in golden() {
        assert_eq!(String::from_utf8(line(&message)).unwrap(), golden + "\n");
    }
}

#[test]
fn every_golden_line_is_read_as_its_message() {
    for (golden, message) in golden() {
        assert_eq!(decode(golden.as_bytes()), Ok(Some(message)), "{golden}");
    }
}

#[test]
fn keys_in_another_order_with_blanks_escapes_and_unknown_keys_say_the_same() {
    let strange = " \t{ \"novo\" : [{\"bloco\":1}, 1e400, null] , \"tamanho\": 16384 ,\"bloco\":7,\"t\\u0069po\":\"PED\\u0049DO\",\"inicio\":0 } \r";
    assert_eq!(decode(strange.as_bytes()), Ok(Some(Message::Request { piece: 7, start: 0, length: 16384 })));
}

#[test]
fn words_of_a_later_version_are_taken_softly() {
    let soft = [
        (register_line(r#","papel":"ponte","objetivo":"paz""#), register(Role::Peer, None)),
        (register_line(r#","papel":"par""#), register(Role::Peer, None)),
        (range("NACK", r#","motivo":"cansado""#), nack(NackReason::Failed)),
        (r#"{"tipo":"ERRO","codigo":"novo","mensagem":"porquê"}"#.into(), error(ErrorCode::Other)),
    ];
    for (line, message) in soft {
        assert_eq!(decode(line.as_bytes()), Ok(Some(message)), "{line}");
    }
}

#[test]
fn a_message_of_a_later_version_is_ignored() {
    for line in
        [r#"{"tipo":"CONVERSA","linha":"olá"}"#, r#"{"linha":"olá","tipo":"CONVERSA"}"#, r#"{"tipo":""}"#]
    {
        assert_eq!(decode(line.as_bytes()), Ok(None), "{line}");
    }
}

#[test]
fn an_ipv4_mapped_address_is_unmapped_in_both_directions() {
    let plain = Message::NewPeer(address("192.0.2.1"));
    let mapped = Message::NewPeer(address("::ffff:192.0.2.1"));
    assert_eq!(decode(line(&plain).trim_ascii()), Ok(Some(plain.clone())));
    assert_eq!(line(&mapped), line(&plain));
    let read = format!(r#"{{"tipo":"NOVO_PEER","peer":{}}}"#, entry("::ffff:192.0.2.1"));
    assert_eq!(decode(read.as_bytes()), Ok(Some(plain)));
}

#[test]
fn text_is_cut_at_a_character_and_control_characters_are_never_sent() {
    let agent = "é".repeat(129);
    let read = decode(register_line("").replace("minibit/0.1 \\\"é\\\"", &format!("x{agent}")).as_bytes());
    let Ok(Some(Message::Register { agent: kept, .. })) = read else { panic!("{read:?}") };
    assert_eq!(kept.len(), 255);
    let long = Message::Error { code: ErrorCode::Internal, text: format!("a\nb\0{}", "é".repeat(600)) };
    let Ok(Some(Message::Error { text, .. })) = decode(line(&long).trim_ascii()) else { panic!("refused") };
    assert!(text.starts_with("a b é") && text.len() == 1_000, "{text}");
}

#[test]
fn two_hundred_peers_always_fit_one_line_and_no_more_are_sent() {
    let widest = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    let full = line(&Message::PeerList(vec![widest; PEERS_MAX]));
    assert!(full.len() < LINE_BYTES_MAX, "{}", full.len());
    assert_eq!(line(&Message::PeerList(vec![widest; PEERS_MAX + 1])), full);
}

#[test]
fn a_stock_of_many_runs_goes_on_in_further_lines() {
    let runs: Vec<[u32; 2]> = (0..5_000).map(|n| [n * 2 + 2_000_000, n * 2 + 2_000_000]).collect();
    let messages = stock_messages(&runs);
    assert!(matches!(messages[0], Message::Stock { all: Some(_), more: None }));
    assert_eq!(read_stock(&messages), runs);
    let whole = runs.iter().map(|run| run.map(u64::from)).collect();
    assert_eq!(read_stock(&[Message::Stock { all: Some(whole), more: Some(vec![]) }]), runs);
    assert_eq!(stock_messages(&[]), [Message::Stock { all: Some(vec![]), more: None }]);
}

#[test]
fn even_the_largest_numbers_fit_a_line_of_stock() {
    let runs = vec![[u64::MAX, u64::MAX]; RUNS_MAX];
    assert!(line(&Message::Stock { all: Some(runs), more: None }).len() <= LINE_BYTES_MAX);
}

/// Sends the messages line by line; gives the runs that the other side then knows.
fn read_stock(messages: &[Message]) -> Vec<[u32; 2]> {
    let bytes: Vec<u8> = messages.iter().flat_map(line).collect();
    let mut known = Vec::new();
    for (n, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        assert!(line.len() <= LINE_BYTES_MAX);
        match decode(line.trim_ascii()).unwrap().unwrap() {
            Message::Stock { all: Some(runs), more: None } if n == 0 => known = runs,
            Message::Stock { all: None, more: Some(runs) } if n > 0 => known.extend(runs),
            other => panic!("line {n}: {other:?}"),
        }
    }
    known.into_iter().map(|run| run.map(|piece| u32::try_from(piece).unwrap())).collect()
}
