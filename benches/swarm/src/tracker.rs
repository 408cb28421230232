//! A BitTorrent tracker over HTTP (BEP 3 and 23), so that every contender that needs one is told of the same peers.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use anyhow::Result;

use crate::lab::{Lab, Seat};

/// Seconds until a client announces again.
const INTERVAL_SECONDS: u32 = 60;
const REQUEST_BYTES_MAX: usize = 16_384;
const PEERS_MAX: usize = 200;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(1);

/// Who announced, by what and where, and whether it had everything.
type Peers = BTreeMap<Vec<u8>, BTreeMap<SocketAddrV4, bool>>;

/// A tracker that runs until it is dropped.
#[derive(Debug)]
pub struct Tracker {
    /// For the torrent files.
    pub url: String,
    seeds: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tracker {
    /// Starts at the seed's seat.
    pub fn start(lab: &Lab, seat: Seat) -> Result<Tracker> {
        let listener = lab.inside(seat.number, || Ok(TcpListener::bind((seat.ip, 0))?))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/announce", listener.local_addr()?);
        let (seeds, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stopped) = (Arc::clone(&seeds), Arc::clone(&stop));
        let thread = thread::spawn(move || serve(&listener, &counted, &stopped));
        Ok(Tracker { url, seeds, stop, thread: Some(thread) })
    }

    /// Whether anybody announced to have everything.
    pub fn knows_a_seed(&self) -> bool {
        self.seeds.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

fn serve(listener: &TcpListener, seeds: &AtomicUsize, stop: &AtomicBool) {
    let mut peers = Peers::new();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, from)) => {
                let _ = answer(stream, from, &mut peers);
                seeds.store(
                    peers.values().flat_map(BTreeMap::values).filter(|is_seed| **is_seed).count(),
                    Ordering::Relaxed,
                );
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(Duration::from_millis(2)),
            Err(_) => return,
        }
    }
}

fn answer(mut stream: TcpStream, from: SocketAddr, peers: &mut Peers) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            length => request.extend_from_slice(&chunk[..length]),
        }
    }
    let target = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let body = announced(target, from, peers).unwrap_or_else(|| b"d14:failure reason10:malformede".to_vec());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat())?;
    Ok(())
}

/// Takes an announcement and says who else is there; none where it is not one.
fn announced(target: &[u8], from: SocketAddr, peers: &mut Peers) -> Option<Vec<u8>> {
    let query = target.strip_prefix(b"/announce?")?;
    let field = |name: &str| {
        let mut pairs = query.split(|byte| *byte == b'&');
        pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).map(unescaped)
    };
    let IpAddr::V4(ip) = from.ip() else { return None };
    let port = String::from_utf8(field("port")?).ok()?.parse().ok()?;
    let own = SocketAddrV4::new(ip, port);
    let swarm = peers.entry(field("info_hash")?).or_default();
    if field("event").as_deref() == Some(b"stopped") {
        swarm.remove(&own);
    } else {
        swarm.insert(own, field("left").as_deref() == Some(b"0"));
    }
    let others = swarm.keys().filter(|peer| **peer != own).take(PEERS_MAX);
    let compact: Vec<u8> =
        others.flat_map(|peer| [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat()).collect();
    let seeds = swarm.values().filter(|is_seed| **is_seed).count();
    let head = format!(
        "d8:completei{seeds}e10:incompletei{}e8:intervali{INTERVAL_SECONDS}e5:peers{}:",
        swarm.len() - seeds,
        compact.len()
    );
    Some([head.as_bytes(), &compact, b"e"].concat())
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce(peers: &mut Peers, host: u8, more: &str) -> Option<Vec<u8>> {
        let target = format!("/announce?info_hash=%01a%ff&port=6881&{more}");
        announced(target.as_bytes(), SocketAddr::from(([10, 0, 0, host], 5)), peers)
    }

    #[test]
    fn each_is_told_of_the_others_until_they_stop() {
        let mut peers = Peers::new();
        announce(&mut peers, 1, "left=0").unwrap();
        let told = announce(&mut peers, 2, "left=9&event=started").unwrap();
        assert_eq!(told, b"d8:completei1e10:incompletei1e8:intervali60e5:peers6:\x0a\x00\x00\x01\x1a\xe1e");
        announce(&mut peers, 1, "left=0&event=stopped").unwrap();
        let told = announce(&mut peers, 2, "left=0").unwrap();
        assert!(told.ends_with(b"5:peers0:e"));
        assert!(peers.contains_key(&b"\x01a\xff"[..]));
    }

    #[test]
    fn nonsense_is_no_announcement() {
        let from = SocketAddr::from(([10, 0, 0, 1], 5));
        let mut peers = Peers::new();
        for target in ["/", "/announce?", "/announce?port=1", "/announce?info_hash=a&port=x"] {
            assert_eq!(announced(target.as_bytes(), from, &mut peers), None, "{target}");
        }
        assert_eq!(unescaped(b"%4"), b"%4");
    }
}
