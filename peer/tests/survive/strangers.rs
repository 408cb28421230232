//! Whoever comes to the port with something else, or with too little, is closed and forgotten; others are served meanwhile.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use minibit::chance::Chance;
use minibit::ids::ShareId;
use minibit::wire::{ErrorCode, Message, decode};
use tempfile::{TempDir, tempdir};

use super::caller::{Caller, line, registering, share_of};
use super::content::file;
use super::node::{Node, seed};

/// What a stranger may hear before it is closed: one line that says why.
const FAREWELL_BYTES_MAX: usize = 4096;

/// A seed on its own, which must serve an honest caller whatever happened before.
struct Port {
    _place: TempDir,
    _seed: Node,
    addr: String,
    share: ShareId,
}

impl Port {
    fn open() -> Port {
        let place = tempdir().expect("a folder");
        let shared = file(place.path(), "film", 300_000);
        let (seed, link) = seed(place.path(), &shared, &[]);
        let addr = link.rsplit_once("x.pe=").expect("a link says where to begin").1.to_owned();
        Port { _place: place, _seed: seed, addr, share: share_of(&link) }
    }

    fn still_serves(&self) {
        let leaf = Caller::greet(&self.addr, self.share, 1).any_leaf();
        assert!(leaf.is_some(), "an honest caller is served");
    }

    /// What a stranger who sends `bytes`, and then waits, hears until it is closed.
    fn answer_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stranger = Caller::reach(&self.addr);
        let _ = stranger.write(bytes); // it may be closed before all is sent
        stranger.rest(FAREWELL_BYTES_MAX)
    }
}

#[test]
fn other_protocols_are_closed_without_a_word() {
    let port = Port::open();
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let ssh = b"SSH-2.0-OpenSSH_9.2\r\n".to_vec();
    let bittorrent = [&b"\x13BitTorrent protocol"[..], &[0; 48]].concat();
    for (name, bytes) in [("http", http), ("ssh", ssh), ("bittorrent", bittorrent), ("zeros", vec![0; 1000])]
    {
        assert_eq!(port.answer_to(&bytes), b"", "{name}");
    }
    port.still_serves();
}

#[test]
fn what_is_no_protocol_at_all_is_told_so_and_closed() {
    let port = Port::open();
    let tls = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 506]].concat();
    let mut chance = Chance::new(14);
    let random = std::iter::repeat_with(|| [&[0xff], &chance.draw().to_le_bytes()[..]].concat());
    for bytes in random.take(200).chain([tls, b"{]\n".to_vec(), b"{\"tipo\":\"REGISTRO\"}\n".to_vec()]) {
        let said = port.answer_to(&bytes);
        let said = decode(said.strip_suffix(b"\n").expect("one whole line")).expect("a message");
        assert!(matches!(said, Some(Message::Error { code: ErrorCode::Protocol, .. })), "{said:?}");
    }
    port.still_serves();
}

#[test]
fn curl_openssl_and_ssh_are_sent_away() {
    let port = Port::open();
    let (host, number) = port.addr.rsplit_once(':').expect("an address has a port");
    let url = format!("http://{}/", port.addr);
    let programs: [(&str, &[&str]); 3] = [
        ("curl", &["--silent", "--max-time", "80", &url]),
        ("openssl", &["s_client", "-connect", &port.addr]),
        ("ssh", &["-o", "BatchMode=yes", "-o", "ConnectTimeout=80", "-p", number, host, "true"]),
    ];
    for (program, words) in programs {
        let quiet = Stdio::null;
        let mut command = Command::new(program);
        match command.args(words).stdin(quiet()).stdout(quiet()).stderr(quiet()).status() {
            Ok(status) => assert!(!status.success(), "{program} cannot have got what it wanted"),
            Err(why) => eprintln!("passed over: {program}: {why}"),
        }
    }
    port.still_serves();
}

#[test]
fn a_conversation_cut_after_any_byte_leaves_nothing_behind() {
    let port = Port::open();
    let messages = [
        registering(port.share, 2),
        Message::Stock { all: Some(Vec::new()), more: None },
        Message::Interested,
        Message::Request { piece: 0, start: 0, length: 16384 },
        Message::LeavesRequest { piece: 0 },
        Message::MetainfoRequest { start: 0 },
        Message::Goodbye,
    ];
    let words: Vec<u8> = messages.iter().flat_map(line).collect();
    for at in 0..words.len() {
        let mut stream = TcpStream::connect(&port.addr).expect("the port is open");
        let _ = stream.write_all(&words[..at]);
        if at % 2 == 0 {
            let _ = stream.shutdown(Shutdown::Write); // half-closed: it may still be told something
            Caller::over(stream).rest(1 << 20);
        }
    }
    port.still_serves();
}

#[test]
fn whoever_says_who_it_is_byte_by_byte_is_closed_after_ten_seconds() {
    let port = Port::open();
    let mut slow = Caller::reach(&port.addr);
    let mut silent = Caller::reach(&port.addr);
    let greeting = line(&registering(port.share, 3));
    let mut feed = slow.stream().try_clone().expect("a handle");
    std::thread::spawn(move || {
        for byte in &greeting[..100] {
            if feed.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(500)); // the fault itself: it is slow
        }
    });
    for stranger in [&mut silent, &mut slow] {
        let said = stranger.rest(FAREWELL_BYTES_MAX);
        assert!(String::from_utf8_lossy(&said).contains("REGISTRO"), "it is told why");
    }
    port.still_serves();
}
