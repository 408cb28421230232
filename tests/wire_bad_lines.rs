//! Lines that are refused, and how: one table for each kind of fault, over every message where it applies.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use minibit::wire::{
    ErrorCode, LINE_BYTES_MAX, Message, PAYLOAD_BYTES_MAX, Protocol, WireError, decode, first_byte, split,
};

const REGISTER: &str = r#"{"tipo":"REGISTRO","versao":1,"id":"abababababababababababababababababababab","compartilhamento":"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c","porta":1,"agente":"x","papel":"par","objetivo":"reciproco"}"#;
const PEER: &str = r#"{"id":"abababababababababababababababababababab","ip":"192.0.2.1","porta":1}"#;

/// A sound line of every message that has keys, and how many of them may be left out.
fn sound() -> Vec<(String, usize)> {
    let mut lines = vec![
        (REGISTER.to_owned(), 2),
        (format!(r#"{{"tipo":"LISTA_PEERS","peers":[{PEER}]}}"#), 0),
        (format!(r#"{{"tipo":"NOVO_PEER","peer":{PEER}}}"#), 0),
        (r#"{"tipo":"ESTOQUE","estoque":[[0,1]],"novos":[[3,3]]}"#.to_owned(), 2),
        (r#"{"tipo":"ERRO","codigo":"interno","mensagem":"x"}"#.to_owned(), 0),
    ];
    let numbers = [
        r#"{"tipo":"PEDIDO_METADADOS","inicio":0}"#,
        r#"{"tipo":"METADADOS","inicio":0,"tamanho":1,"total":1}"#,
        r#"{"tipo":"PEDIDO","bloco":1,"inicio":0,"tamanho":16384}"#,
        r#"{"tipo":"BLOCO","bloco":1,"inicio":0,"tamanho":16384}"#,
        r#"{"tipo":"NACK","bloco":1,"inicio":0,"tamanho":16384,"motivo":"erro"}"#,
        r#"{"tipo":"CANCELA","bloco":1,"inicio":0,"tamanho":16384}"#,
        r#"{"tipo":"SUGESTAO","bloco":1}"#,
        r#"{"tipo":"PEDIDO_FOLHAS","bloco":1}"#,
        r#"{"tipo":"FOLHAS","bloco":1,"tamanho":32}"#,
    ];
    lines.extend(numbers.map(|line| (line.to_owned(), 0)));
    lines
}

/// The `"key":value` texts of an object, by its own commas.
fn members(line: &str) -> Vec<String> {
    let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
    value.iter().map(|(key, value)| format!("{key:?}:{value}")).collect()
}

fn joined(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

fn read(line: impl AsRef<[u8]>) -> Result<Option<Message>, WireError> {
    decode(line.as_ref())
}

fn assert_malformed(line: impl AsRef<[u8]>) {
    let line = line.as_ref();
    let shown = String::from_utf8_lossy(&line[..line.len().min(120)]);
    match read(line) {
        Err(WireError::Malformed(text)) => {
            assert!(text.len() <= 200 && !text.is_empty() && !text.contains(char::is_control), "{text}");
        }
        other => panic!("{shown} gave {other:?}"),
    }
}

#[test]
fn the_sound_lines_are_sound() {
    for (line, _) in sound() {
        assert!(matches!(read(&line), Ok(Some(_))), "{line}");
    }
}

#[test]
fn a_repeated_key_is_an_error_in_every_message() {
    for (line, _) in sound() {
        let members = members(&line);
        for twice in &members {
            let mut repeated = members.clone();
            repeated.push(twice.clone());
            assert_malformed(joined(&repeated));
            repeated.rotate_right(1);
            assert_malformed(joined(&repeated));
        }
    }
    for key in members(PEER) {
        assert_malformed(format!(r#"{{"tipo":"NOVO_PEER","peer":{{{key},{}}}}}"#, &PEER[1..PEER.len() - 1]));
    }
    assert_malformed(r#"{"tipo":"BATIMENTO","tipo":"BATIMENTO"}"#);
    assert_malformed(r#"{"tipo":"NOVIDADE","tipo":"NOVIDADE"}"#);
}

#[test]
fn a_missing_key_is_an_error_in_every_message() {
    for (line, optional) in sound() {
        let members = members(&line);
        let refused = (0..members.len()).filter(|gone| {
            let mut rest = members.clone();
            rest.remove(*gone);
            read(joined(&rest)).is_err()
        });
        assert_eq!(refused.count(), members.len() - optional, "{line}");
    }
    assert_malformed(r#"{"tipo":"ESTOQUE"}"#);
    assert_malformed(r#"{"tipo":"NOVO_PEER","peer":{"ip":"192.0.2.1","porta":1}}"#);
}

#[test]
fn an_ill_typed_key_is_an_error_in_every_message() {
    for (line, _) in sound() {
        let members = members(&line);
        for at in 0..members.len() {
            let (key, _) = members[at].split_once(':').unwrap();
            for value in ["null", "true", "1.0", "{}", "[[]]", "[1,2]", "-1"] {
                let mut wrong = members.clone();
                wrong[at] = format!("{key}:{value}");
                assert_malformed(joined(&wrong));
            }
        }
    }
}

#[test]
fn a_list_where_an_object_belongs_is_an_error() {
    assert_malformed(r#"["PEDIDO",1,0,16384]"#);
    assert_malformed(r#"["BATIMENTO"]"#);
    let Err(WireError::Malformed(text)) = read(r#"["BATIMENTO"]"#) else { panic!("it is malformed") };
    assert!(text.contains("expected an object"), "{text}");
    let id = "ab".repeat(20);
    assert_malformed(format!(r#"{{"tipo":"NOVO_PEER","peer":["{id}","192.0.2.1",1]}}"#));
    assert_malformed(format!(r#"{{"tipo":"LISTA_PEERS","peers":[["{id}","192.0.2.1",1]]}}"#));
}

#[test]
fn only_exact_numbers_below_two_to_the_64_are_numbers() {
    for number in
        ["-1", "-0", "1e400", "1e2", "1.0", "18446744073709551616", "\"1\"", "01", "+1", "0x1", "NaN"]
    {
        assert_malformed(format!(r#"{{"tipo":"SUGESTAO","bloco":{number}}}"#));
    }
    for number in [0, (1 << 53) + 1, u64::MAX] {
        let line = format!(r#"{{"tipo":"SUGESTAO","bloco":{number}}}"#);
        assert_eq!(read(line), Ok(Some(Message::Suggest { piece: number })));
    }
}

#[test]
fn json_nested_deeper_than_32_is_an_error_anywhere() {
    let nested = |levels: usize, tipo: &str| {
        format!(r#"{{"x":{}{},"tipo":"{tipo}"}}"#, "[".repeat(levels), "]".repeat(levels))
    };
    assert_eq!(read(nested(31, "BATIMENTO")), Ok(Some(Message::Heartbeat)));
    assert_malformed(nested(32, "BATIMENTO"));
    assert_malformed(nested(32, "NOVIDADE"));
    assert_malformed(nested(30_000, "BATIMENTO"));
    for bomb in ["[", "{\"a\":", "{\"tipo\":[", "[{\"x\":"] {
        assert_malformed(bomb.repeat(65_000 / bomb.len()));
        assert_eq!(read(bomb.repeat(100_000)), Err(WireError::LineTooLong));
    }
    let quoted = format!(r#"{{"tipo":"BATIMENTO","x":"\"{}"}}"#, "[".repeat(100));
    assert_eq!(read(quoted), Ok(Some(Message::Heartbeat)));
}

#[test]
fn many_unknown_keys_and_long_ones_are_ignored() {
    let keys: Vec<String> = (0..10_000).map(|n| format!("\"{n}\":")).collect();
    let many = keys.join("0,");
    let many = format!(r#"{{{},"tipo":"BATIMENTO"}}"#, many[..60_000].rsplit_once(',').unwrap().0);
    assert_eq!(read(many), Ok(Some(Message::Heartbeat)));
    let long = format!(r#"{{"{}":0,"tipo":"BATIMENTO"}}"#, "k".repeat(65_000));
    assert_eq!(read(long), Ok(Some(Message::Heartbeat)));
    let tipo = format!(r#"{{"tipo":"{}"}}"#, "T".repeat(65_000));
    assert_eq!(read(tipo), Ok(None));
}

#[test]
fn an_error_says_little_however_much_it_was_given() {
    assert_malformed(format!(r#"{{"tipo":"SUGESTAO","bloco":"{}\u0007"}}"#, "é\u{202e}".repeat(10_000)));
}

#[test]
fn bad_utf8_half_characters_and_a_byte_order_mark_are_errors_anywhere() {
    assert_malformed(b"{\"tipo\":\"BATIMENTO\",\"x\":\"\xff\"}");
    assert_malformed(b"{\"tipo\":\"BATIMENTO\",\"x\":\"\xed\xa0\x80\"}");
    assert_malformed(b"\xef\xbb\xbf{\"tipo\":\"BATIMENTO\"}");
    for half in
        [r"\ud800", r"\udc00", r"\ud800x", r"\ud800\n", r"\ud800\u0041", r"\uDBFF\uD800", r"\u12g4", r"\u"]
    {
        assert_malformed(format!(r#"{{"tipo":"BATIMENTO","x":"{half}"}}"#));
        assert_malformed(format!(r#"{{"tipo":"BATIMENTO","{half}":0}}"#));
        assert_malformed(format!(r#"{{"tipo":"ERRO","codigo":"interno","mensagem":"{half}"}}"#));
        for before in [r"\n", r"\u0041", r"\ud83d\ude00"] {
            assert_malformed(format!(
                r#"{{"tipo":"BATIMENTO","x":"{before}{half}","y":"{}"}}"#,
                " ".repeat(300)
            ));
        }
    }
    let whole = r#"{"tipo":"ERRO","codigo":"interno","mensagem":"\ud83d\ude00"}"#;
    assert!(matches!(read(whole), Ok(Some(Message::Error { text, .. })) if text == "😀"));
}

#[test]
fn control_characters_are_errors() {
    for raw in ["\0", "\u{1}", "\t", "\r", "\u{1f}"] {
        assert_malformed(format!("{{\"tipo\":\"BATIMENTO\",\"x\":\"{raw}\"}}"));
    }
    for text in [r"\u0000", r"\n", r"\u001b[2J", "\u{7f}", "\u{9b}"] {
        assert_malformed(format!(r#"{{"tipo":"ERRO","codigo":"interno","mensagem":"{text}"}}"#));
        assert_malformed(REGISTER.replace(r#""agente":"x""#, &format!(r#""agente":"{text}""#)));
    }
}

#[test]
fn what_is_no_json_object_is_an_error() {
    let unsound = [
        "",
        " ",
        "\r",
        "null",
        "7",
        "\"BATIMENTO\"",
        "{",
        "}",
        "{}",
        "[]",
        "{\"tipo\"",
        "{'tipo':'BATIMENTO'}",
        r#"{"tipo":"BATIMENTO",}"#,
        r#"{"tipo":"BATIMENTO"}x"#,
        r#"{"tipo":"BATIMENTO"}{}"#,
        r#"{"tipo":"NOVIDADE","x":}"#,
        r#"{"tipo":"NOVIDADE""#,
        r#"{"tipo":"NOVIDADE"}]"#,
        r#"{"tipo":7}"#,
        r#"{"tipo":null}"#,
        r#"{"Tipo":"BATIMENTO"}"#,
        "GET / HTTP/1.1\r",
        "SSH-2.0-x\r",
        "\0\0\0\0",
    ];
    for line in unsound {
        assert_malformed(line);
    }
    for n in 0..REGISTER.len() {
        assert_malformed(&REGISTER[..n]);
    }
}

#[test]
fn ids_are_lower_case_hex_of_the_right_length() {
    let id = "ab".repeat(20);
    for wrong in
        ["AB".repeat(20), "ab".repeat(19), "ab".repeat(21), "a".repeat(39), "xy".repeat(20), String::new()]
    {
        assert_malformed(REGISTER.replace(&id, &wrong));
        assert_malformed(format!(r#"{{"tipo":"NOVO_PEER","peer":{}}}"#, PEER.replace(&id, &wrong)));
    }
    assert_malformed(REGISTER.replace("0c0c", "0C0C"));
}

#[test]
fn an_address_is_an_address() {
    for wrong in
        ["", "localhost", "192.0.2", "192.0.2.256", "[::1]", "fe80::1%eth0", "192.0.2.1:80", " 192.0.2.1"]
    {
        assert_malformed(format!(r#"{{"tipo":"NOVO_PEER","peer":{}}}"#, PEER.replace("192.0.2.1", wrong)));
    }
    assert_malformed(REGISTER.replace("\"porta\":1", "\"porta\":65536"));
    assert_malformed(format!(
        r#"{{"tipo":"NOVO_PEER","peer":{}}}"#,
        PEER.replace("\"porta\":1", "\"porta\":65536")
    ));
}

#[test]
fn another_version_is_named_whatever_else_its_register_says() {
    assert_eq!(read(REGISTER.replace("\"versao\":1", "\"versao\":2")), Err(WireError::Version(2)));
    assert_eq!(read(r#"{"tipo":"REGISTRO","versao":0,"porta":"x"}"#), Err(WireError::Version(0)));
    assert_eq!(WireError::Version(2).code(), ErrorCode::Version);
    assert_eq!(WireError::LineTooLong.code(), ErrorCode::Protocol);
    assert_malformed(REGISTER.replace("\"versao\":1", "\"versao\":\"1\""));
}

#[test]
fn lengths_beyond_the_limits_are_errors_before_any_payload() {
    let over = u64::from(PAYLOAD_BYTES_MAX) + 1;
    for length in [over, u64::from(u32::MAX) + 1, u64::MAX] {
        for line in [
            format!(r#"{{"tipo":"BLOCO","bloco":0,"inicio":0,"tamanho":{length}}}"#),
            format!(r#"{{"tipo":"FOLHAS","bloco":0,"tamanho":{length}}}"#),
            format!(r#"{{"tipo":"METADADOS","inicio":0,"tamanho":{length},"total":{length}}}"#),
        ] {
            assert_eq!(read(line), Err(WireError::PayloadTooLong(length)));
        }
    }
    assert!(read(format!(r#"{{"tipo":"BLOCO","bloco":0,"inicio":0,"tamanho":{}}}"#, over - 1)).is_ok());
    assert_malformed(r#"{"tipo":"BLOCO","bloco":0,"inicio":0,"tamanho":0}"#);
    assert_malformed(r#"{"tipo":"PEDIDO","bloco":0,"inicio":0,"tamanho":0}"#);
    assert_malformed(r#"{"tipo":"FOLHAS","bloco":0,"tamanho":33}"#);
}

#[test]
fn a_part_of_the_metainfo_lies_within_it() {
    let part = |start: u64, length: u64, total: u64| {
        format!(r#"{{"tipo":"METADADOS","inicio":{start},"tamanho":{length},"total":{total}}}"#)
    };
    for (start, length, total) in [(0, 0, 1), (0, 1, 0), (1, 1, 1), (u64::MAX, 1, 1), (0, 1, (64 << 20) + 1)]
    {
        assert_malformed(part(start, length, total));
    }
    for (start, length, total) in [(5, 0, 0), (0, 1, 1), (1, 2, 3), ((64 << 20) - 1, 1, 64 << 20)] {
        assert!(read(part(start, length, total)).is_ok());
    }
}

#[test]
fn a_run_of_pieces_is_a_pair_in_order_below_two_to_the_21() {
    for run in [
        "[1,0]",
        "[0,2097152]",
        "[0,1099511627775]",
        "[0]",
        "[]",
        "[0,1,2]",
        "7",
        "[0,18446744073709551615]",
        "{}",
        "null",
    ] {
        for key in ["estoque", "novos"] {
            assert_malformed(format!(r#"{{"tipo":"ESTOQUE","{key}":[[0,0],{run}]}}"#));
        }
    }
}

#[test]
fn a_list_of_more_than_200_peers_is_an_error() {
    let list = |count| format!(r#"{{"tipo":"LISTA_PEERS","peers":[{}]}}"#, vec![PEER; count].join(","));
    assert!(read(list(200)).is_ok());
    assert_malformed(list(201));
}

#[test]
fn a_line_is_refused_as_soon_as_it_cannot_end_in_time() {
    let mut long = vec![b' '; LINE_BYTES_MAX];
    assert_eq!(split(&long[..LINE_BYTES_MAX - 1], 0), Ok(None));
    assert_eq!(split(&long, 0), Err(WireError::LineTooLong));
    long.push(b'\n');
    assert_eq!(split(&long, 0), Err(WireError::LineTooLong));
    long[LINE_BYTES_MAX - 1] = b'\n';
    assert_eq!(split(&long, 0), Ok(Some((&long[..LINE_BYTES_MAX - 1], LINE_BYTES_MAX))));
    assert_eq!(read(vec![b' '; LINE_BYTES_MAX]), Err(WireError::LineTooLong));
}

#[test]
fn the_first_byte_tells_the_protocol() {
    for (byte, protocol) in [
        (b'{', Protocol::Minibit),
        (b' ', Protocol::Minibit),
        (0x13, Protocol::BitTorrent),
        (b'G', Protocol::Http),
        (b'z', Protocol::Http),
        (0x00, Protocol::Encrypted),
        (0x16, Protocol::Unknown),
        (b'[', Protocol::Unknown),
        (0xff, Protocol::Unknown),
    ] {
        assert_eq!(first_byte(byte), protocol, "{byte}");
    }
}
