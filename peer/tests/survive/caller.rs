//! A peer that says only what a test makes it say, over a plain connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use minibit::content::Link;
use minibit::ids::{PeerId, ShareId};
use minibit::wire::{Message, Role, decode, encode};

use super::node::PATIENCE;

/// One connection to a node.
pub struct Caller {
    stream: BufReader<TcpStream>,
}

impl Caller {
    /// Connects as soon as somebody listens there.
    pub fn reach(addr: &str) -> Caller {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(addr) {
                Ok(stream) => return Caller::over(stream),
                Err(why) => assert!(Instant::now() < deadline, "nobody listens at {addr}: {why}"),
            }
            std::thread::yield_now();
        }
    }

    /// Over a connection that stands.
    pub fn over(stream: TcpStream) -> Caller {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time is not zero");
        stream.set_nodelay(true).expect("it is connected");
        Caller { stream: BufReader::new(stream) }
    }

    /// Connects and greets as somebody who accepts nothing and holds nothing; the answer is taken as well.
    pub fn greet(addr: &str, share: ShareId, id: u64) -> Caller {
        let mut caller = Caller::reach(addr);
        caller.say(&registering(share, id));
        caller.say(&Message::Stock { all: Some(Vec::new()), more: None });
        let answer = caller.message();
        assert!(matches!(answer, Some((Message::Register { .. }, _))), "{answer:?}");
        caller
    }

    /// Says `message`; whether it is heard is another matter.
    pub fn say(&mut self, message: &Message) {
        let _ = self.write(&line(message));
    }

    /// Sends bytes that need not be a message.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// The next message and its payload; none when the connection ended.
    pub fn message(&mut self) -> Option<(Message, Vec<u8>)> {
        let mut line = Vec::new();
        let count = self.stream.read_until(b'\n', &mut line);
        match count {
            Ok(1..) => {}
            Err(why) if is_timeout(&why) => panic!("nothing is said within {PATIENCE:?}"),
            _ => return None,
        }
        if line.pop() != Some(b'\n') {
            return None; // cut off within a line
        }
        let message = decode(&line).expect("what our programs say is right").expect("and known");
        let mut payload = vec![0; message.payload_bytes() as usize];
        self.stream.read_exact(&mut payload).ok()?;
        Some((message, payload))
    }

    /// The next message of which `is_it` holds; none when the connection ended before.
    pub fn until(&mut self, is_it: impl Fn(&Message) -> bool) -> Option<(Message, Vec<u8>)> {
        loop {
            let next = self.message()?;
            if is_it(&next.0) {
                return Some(next);
            }
        }
    }

    /// All bytes until the connection ends, at most so many. Panics when it stays open for too long.
    pub fn rest(&mut self, most: usize) -> Vec<u8> {
        let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
        while bytes.len() < most {
            match self.stream.read(&mut part) {
                Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
                Err(why) if is_timeout(&why) => panic!("the connection stays open for {PATIENCE:?}"),
                _ => break,
            }
        }
        bytes
    }

    /// The connection, and nothing that was heard on it.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// The connection itself.
    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    /// One leaf of any piece that the other side holds, as soon as it holds one and serves us: which piece, and the leaf.
    /// None when the connection ended before.
    pub fn any_leaf(&mut self) -> Option<(u64, Vec<u8>)> {
        let (mut held, mut is_unchoked, mut is_asked) = (None, false, false);
        loop {
            match self.message()? {
                (Message::Stock { all, more }, _) => {
                    let runs = all.into_iter().chain(more).flatten();
                    held = held.or(runs.map(|[first, _]| first).next());
                    if held.is_some() {
                        self.say(&Message::Interested);
                    }
                }
                (Message::MetainfoRequest { .. }, _) => {
                    self.say(&Message::Metainfo { start: 0, length: 0, total: 0 });
                }
                (Message::Unchoke, _) => is_unchoked = true,
                (Message::Choke, _) => (is_unchoked, is_asked) = (false, false),
                (Message::Nack { .. }, _) => is_asked = false,
                (Message::Block { piece, .. }, payload) => return Some((piece, payload)),
                _ => {}
            }
            if let (Some(piece), true, false) = (held, is_unchoked, is_asked) {
                self.say(&Message::Request { piece, start: 0, length: 16 * 1024 });
                is_asked = true;
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The bytes of a message without a payload.
pub fn line(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes
}

/// The greeting of somebody who accepts nothing.
pub fn registering(share: ShareId, id: u64) -> Message {
    let mut bytes = [0xca; 20];
    bytes[..8].copy_from_slice(&id.to_be_bytes());
    let agent = "a test".to_owned();
    Message::Register { id: PeerId(bytes), share, port: 0, agent, role: Role::Peer, goal: None }
}

/// The share that a link is for.
pub fn share_of(link: &str) -> ShareId {
    link.parse::<Link>().expect("our programs print links that can be read").share
}

/// Calls `poll` until it says so or the time is over; for states on disk, which nobody announces.
pub fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} does not come to be within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(2)); // to leave the machine to those who are waited for
    }
}
