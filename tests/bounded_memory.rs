//! What hostile bytes may cost, counted and not timed: bytes set aside, and how often.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use std::alloc::System;
use std::fmt::Write;
use std::sync::Mutex;

use minibit::content::Metainfo;
use minibit::content::bencode::Reader;
use minibit::content::metainfo::{METAINFO_BYTES_MAX, MetainfoError};
use minibit::wire::{LINE_BYTES_MAX, PAYLOAD_BYTES_MAX, WireError, decode, split};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time counts; what the harness sets aside beside it is within the slack.
static COUNTING: Mutex<()> = Mutex::new(());
const SLACK_BYTES: usize = 16 * 1024;
const SLACK_TIMES: usize = 200;

/// What it gave, bytes set aside in all, also those given back on the way, and how often something was.
fn counted<T>(act: impl FnOnce() -> T) -> (T, usize, usize) {
    let region = Region::new(GLOBAL);
    let outcome = act();
    let change = region.change();
    (outcome, change.bytes_allocated, change.allocations + change.reallocations)
}

fn one_at_a_time() -> std::sync::MutexGuard<'static, ()> {
    COUNTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// `{"tipo":<tipo>,<key>:[<item>,<item>...]}`, as long as a line may be.
fn list(tipo: &str, key: &str, item: &str) -> String {
    let mut line = format!(r#"{{"tipo":"{tipo}","{key}":[{item}"#);
    while line.len() + item.len() + 3 < LINE_BYTES_MAX {
        write!(line, ",{item}").unwrap();
    }
    line + "]}"
}

fn object(entry: impl Fn(usize) -> String, last: &str) -> String {
    let mut line = "{".to_owned();
    for number in 0.. {
        let entry = entry(number);
        if line.len() + entry.len() + last.len() + 2 >= LINE_BYTES_MAX {
            break;
        }
        write!(line, "{entry},").unwrap();
    }
    line + last + "}"
}

#[test]
fn no_line_takes_more_than_a_few_times_its_length() {
    let _guard = one_at_a_time();
    let worst = [
        list("ESTOQUE", "estoque", "[0,0]"),
        list("ESTOQUE", "novos", "[0,1099511627775]"),
        list("LISTA_PEERS", "peers", r#"{"id":"","ip":"","porta":0}"#),
        list("NOVIDADE", "x", "0"),
        list("BATIMENTO", "x", "{}"),
        object(|number| format!(r#""{number}":0"#), r#""tipo":"BATIMENTO""#),
        object(|number| format!(r#""{}\u0041":0"#, number % 10), r#""tipo":"BATIMENTO""#),
        format!(r#"{{"{}":0,"tipo":"BATIMENTO"}}"#, "k".repeat(65_000)),
        format!(r#"{{"tipo":"ERRO","codigo":"interno","mensagem":"{}"}}"#, r"\u00e9".repeat(10_000)),
        format!(r#"{{"tipo":"SUGESTAO","bloco":"{}"}}"#, "é".repeat(30_000)),
        "[".repeat(65_000),
        r#"{"a":"#.repeat(13_000),
        r#"{"tipo":["#.repeat(7_000),
        "\u{ff}".repeat(32_000),
    ];
    for line in worst {
        assert!(line.len() < LINE_BYTES_MAX);
        let (_, bytes, times) = counted(|| decode(line.as_bytes()).is_ok());
        assert!(bytes <= 6 * line.len() + SLACK_BYTES, "{bytes} bytes for {}", &line[..40]);
        assert!(times <= SLACK_TIMES, "{times} times for {}", &line[..40]);
    }
}

#[test]
fn a_length_of_a_payload_is_checked_before_anything_is_set_aside() {
    let _guard = one_at_a_time();
    let limit = u64::from(PAYLOAD_BYTES_MAX);
    for length in [0, 1, limit, limit + 1, (1 << 31) - 1, (1 << 32) - 1, 1 << 32, u64::MAX] {
        let lines = [
            format!(r#"{{"tipo":"BLOCO","bloco":0,"inicio":0,"tamanho":{length}}}"#),
            format!(r#"{{"tipo":"FOLHAS","bloco":0,"tamanho":{length}}}"#),
            format!(r#"{{"tipo":"METADADOS","inicio":0,"tamanho":{length},"total":{length}}}"#),
        ];
        for line in lines {
            let (read, bytes, _) = counted(|| decode(line.as_bytes()));
            assert_eq!(matches!(read, Err(WireError::PayloadTooLong(_))), length > limit, "{line}");
            assert!(bytes <= SLACK_BYTES, "{bytes} bytes for {line}");
        }
    }
}

#[test]
fn a_line_that_does_not_end_takes_nothing() {
    let _guard = one_at_a_time();
    let endless = vec![b'['; 100_000];
    for length in [0, 1, LINE_BYTES_MAX - 1, LINE_BYTES_MAX, endless.len()] {
        let (cut, bytes, _) = counted(|| split(&endless[..length], 0).is_ok());
        assert_eq!(cut, length < LINE_BYTES_MAX);
        assert!(bytes <= SLACK_BYTES, "{bytes} bytes");
    }
}

/// A metainfo of this tree.
fn with_tree(tree: &[u8]) -> Vec<u8> {
    let tail = b"12:meta versioni2e4:name5:share12:piece lengthi16384ee12:piece layersdee";
    [b"d4:infod9:file tree", tree, tail].concat()
}

fn empty_files(count: usize) -> Vec<u8> {
    let mut tree = b"d".to_vec();
    (0..count).for_each(|number| tree.extend(format!("7:{number:07}d0:d6:lengthi0eee").into_bytes()));
    tree.push(b'e');
    with_tree(&tree)
}

#[test]
fn a_description_over_the_limit_is_not_even_looked_at() {
    let _guard = one_at_a_time();
    let ten_million_files = vec![b'd'; METAINFO_BYTES_MAX + 1];
    let (read, bytes, _) = counted(|| Metainfo::parse(&ten_million_files));
    assert_eq!(read, Err(MetainfoError::TooLarge));
    assert!(bytes <= SLACK_BYTES, "{bytes} bytes");
}

#[test]
fn more_files_than_may_be_are_refused_at_the_first_too_many() {
    let _guard = one_at_a_time();
    let most = 1 << 20;
    let bytes = empty_files(most + most / 8);
    assert!(bytes.len() <= METAINFO_BYTES_MAX);
    let (read, taken, times) = counted(|| Metainfo::parse(&bytes));
    assert!(read.unwrap_err().to_string().contains("files"));
    assert!(
        taken <= 128 * most,
        "{taken} bytes: each file that was read has its own, and none of those beyond"
    );
    assert!(times <= 3 * most, "{times} times: each file has its name and its path");
}

#[test]
fn what_is_believed_takes_a_few_times_its_length() {
    let _guard = one_at_a_time();
    let bytes = empty_files(1 << 16);
    let (read, taken, times) = counted(|| Metainfo::parse(&bytes));
    assert_eq!(read.unwrap().files().len(), 1 << 16);
    assert!(taken <= 6 * bytes.len(), "{taken} bytes for {}", bytes.len());
    assert!(times <= 3 << 16, "{times} times");
}

#[test]
fn a_name_that_is_there_five_hundred_times_is_refused_at_the_second() {
    let _guard = one_at_a_time();
    let tree = [b"d", &b"1:ad0:d6:lengthi0eee".repeat(500)[..], b"e"].concat();
    let metainfo = with_tree(&tree);
    let (read, bytes, _) = counted(|| Metainfo::parse(&metainfo));
    assert!(read.unwrap_err().to_string().contains("repeated"));
    assert!(bytes <= SLACK_BYTES, "{bytes} bytes");
}

#[test]
fn what_is_nested_without_end_takes_nothing() {
    let _guard = one_at_a_time();
    for bomb in [&b"l"[..], b"d0:", b"d1:ad", b"d1:al"] {
        let bytes = bomb.repeat(1 << 20);
        let (read, taken, _) = counted(|| Reader::new(&bytes).skip().is_ok());
        assert!(!read && taken <= SLACK_BYTES, "{taken} bytes");
        let metainfo = with_tree(&bytes);
        let (read, taken, _) = counted(|| Metainfo::parse(&metainfo).is_ok());
        assert!(!read && taken <= SLACK_BYTES, "{taken} bytes");
    }
}
