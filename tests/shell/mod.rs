//! Runs to be tested and a peer that says only what a test makes it say.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use minibit::content::PieceSet;
use minibit::ids::{Endpoint, PeerId, ShareId};
use minibit::net::content::{Differing, Plan, ScanOptions, UNWATCHED, scan};
use minibit::net::{Desk, RunError, listen, run};
use minibit::node::{Node, NodeConfig, ShareConfig, Start};
use minibit::seam::{News, ShareView};
use minibit::wire::{Message, Role, decode, encode};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Long enough for the slowest machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run that has its port and has not begun.
pub struct Run {
    pub addr: SocketAddr,
    pub share: ShareId,
    listener: TcpListener,
    node: Node,
    config: ShareConfig,
    desk: Desk,
    stop: CancellationToken,
}

/// What a test holds of a run.
pub struct Held {
    pub views: watch::Receiver<Vec<ShareView>>,
    pub stop: CancellationToken,
    pub checking: watch::Receiver<Option<(u64, u64)>>,
    _news: mpsc::Receiver<News>,
}

/// What a run has of its one share.
pub struct Part {
    config: ShareConfig,
    desk: Box<dyn FnOnce(&mut Desk)>,
}

/// A seed of `path`.
pub fn holding(path: &Path) -> Part {
    let scanned = scan(path, ScanOptions::default(), UNWATCHED).unwrap();
    let share = scanned.metainfo.share();
    let held = PieceSet::full(scanned.metainfo.geometry().piece_count());
    let start = Start::Holding { metainfo: scanned.metainfo, held };
    let config = ShareConfig { share, start, endpoints: Vec::new(), goal: None };
    Part { config, desk: Box::new(move |desk| _ = desk.stores.insert(share, scanned.store)) }
}

/// A peer that knows a link.
pub fn joining(share: ShareId, dir: &Path, endpoints: Vec<Endpoint>) -> Part {
    let plan = Plan { dir: dir.to_owned(), select: Vec::new(), differing: Differing::Refused };
    let config = ShareConfig { share, start: Start::Linked, endpoints, goal: None };
    Part { config, desk: Box::new(move |desk| _ = desk.plans.insert(share, plan)) }
}

/// A peer that was given the description of `path`, and downloads into `dir`.
pub fn described(path: &Path, dir: &Path) -> Part {
    let metainfo = scan(path, ScanOptions::default(), UNWATCHED).unwrap().metainfo;
    let mut part = joining(metainfo.share(), dir, Vec::new());
    part.config.start = Start::Described(metainfo);
    part
}

pub fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint::at(addr.ip(), addr.port())
}

impl Run {
    pub fn new(part: Part) -> (Run, Held) {
        Run::with(part, |_| {})
    }

    /// A run of a node that is not quite the usual one.
    pub fn with(part: Part, change: impl FnOnce(&mut NodeConfig)) -> (Run, Held) {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let (views, shown) = watch::channel(Vec::new());
        let (news, told) = mpsc::channel(100);
        let (checking, checked) = watch::channel(None);
        let mut desk = Desk { stores: HashMap::new(), plans: HashMap::new(), views, checking, news };
        (part.desk)(&mut desk);
        let stop = CancellationToken::new();
        let held = Held { views: shown, stop: stop.clone(), checking: checked, _news: told };
        let (share, config) = (part.config.share, part.config);
        let mut node = usual(addr.port());
        change(&mut node);
        (Run { addr, share, listener, node: Node::new(node), config, desk, stop }, held)
    }

    /// Runs to the end, which must come.
    pub async fn run(self) -> Result<(), RunError> {
        let running = run(self.listener, self.node, vec![self.config], self.desk, self.stop);
        timeout(PATIENCE, running).await.expect("the run ends")
    }
}

fn usual(port: u16) -> NodeConfig {
    let mut id = [7; 20];
    id[..2].copy_from_slice(&port.to_be_bytes());
    NodeConfig {
        id: PeerId(id),
        port,
        agent: "minibit test".to_owned(),
        role: Role::Peer,
        open: false,
        advertised: Vec::new(),
        limit_up: None,
        limit_down: None,
        seed: u64::from(port),
    }
}

/// Waits until the run's one share is so.
pub async fn wait_for(views: &mut watch::Receiver<Vec<ShareView>>, is_so: impl Fn(&ShareView) -> bool) {
    let wait = views.wait_for(|views| views.first().is_some_and(&is_so));
    timeout(PATIENCE, wait).await.expect("the share comes to be so").expect("the run goes on");
}

/// The other end of a link.
pub struct Peer {
    pub stream: BufReader<TcpStream>,
}

impl Peer {
    pub async fn connect(addr: SocketAddr) -> Peer {
        Peer { stream: BufReader::new(TcpStream::connect(addr).await.unwrap()) }
    }

    pub async fn say(&mut self, message: &Message) {
        self.stream.write_all(&line(message)).await.unwrap();
    }

    /// The first two messages, and the other side's first.
    pub async fn greet(&mut self, share: ShareId) {
        self.say(&registering(share)).await;
        self.say(&Message::Stock { all: Some(Vec::new()), more: None }).await;
        let answer = self.message().await;
        assert!(matches!(answer, Some(Message::Register { .. })), "{answer:?}");
    }

    /// The next message, its payload thrown away; none when the connection ended.
    pub async fn message(&mut self) -> Option<Message> {
        let mut line = Vec::new();
        let read = self.stream.read_until(b'\n', &mut line);
        if timeout(PATIENCE, read).await.expect("an answer comes").ok()? == 0 {
            return None;
        }
        assert_eq!(line.pop(), Some(b'\n'), "whole lines");
        let message = decode(&line).unwrap().expect("a known message");
        let mut payload = vec![0; message.payload_bytes() as usize];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(message)
    }

    /// All messages until the connection ends.
    pub async fn rest(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            messages.push(message);
        }
        messages
    }
}

pub fn line(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes
}

/// The greeting of somebody who accepts nothing.
pub fn registering(share: ShareId) -> Message {
    let (id, agent) = (PeerId([3; 20]), "a test".to_owned());
    Message::Register { id, share, port: 0, agent, role: Role::Peer, goal: None }
}
