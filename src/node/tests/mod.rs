//! Stories of one process as its peers see it: each test plays the peers by hand, a message at a time.

use std::net::SocketAddr;
use std::time::Duration;

mod bearing;
mod crowding;
mod giving;
mod meeting;
mod mending;
mod storing;
mod taking;

use super::*;
use crate::content::metainfo::FileEntry;
use crate::content::{Block, LEAF_BYTES, Name, TreePath, merkle};
use crate::ids::Digest;
use crate::seam::{Ban, News};
use crate::wire::{NackReason, PeerAddress};

const PIECES: u32 = 8;
const OWN: PeerId = PeerId([100; 20]);

fn truth(piece: u64) -> Digest {
    merkle::leaf(&piece.to_be_bytes())
}

/// Eight pieces of one leaf each.
fn metainfo() -> Arc<Metainfo> {
    named("share")
}

fn named(name: &str) -> Arc<Metainfo> {
    let name = Name::new(name.as_bytes()).expect("a name");
    let file = FileEntry {
        path: TreePath(vec![name.clone()]),
        length: u64::from(PIECES * LEAF_BYTES),
        executable: false,
    };
    let hashes = (0..u64::from(PIECES)).map(truth).collect();
    Arc::new(Metainfo::describe(&name, LEAF_BYTES, true, vec![file], hashes, Vec::new()).expect("a share"))
}

struct Stage {
    node: Node,
    now: Moment,
    metainfo: Arc<Metainfo>,
    links: u64,
    out: Vec<Action>,
}

impl Stage {
    fn with(role: Role, start: Start) -> Stage {
        let metainfo = match &start {
            Start::Described(metainfo) | Start::Holding { metainfo, .. } => Arc::clone(metainfo),
            Start::Linked | Start::Register(_) => metainfo(),
        };
        let config = NodeConfig {
            id: OWN,
            port: 7070,
            agent: "test".to_owned(),
            role,
            open: false,
            advertised: Vec::new(),
            limit_up: None,
            limit_down: None,
            seed: 1,
        };
        let mut stage =
            Stage { node: Node::new(config), now: Moment::START, metainfo, links: 0, out: Vec::new() };
        let endpoints = vec!["tracker.example:7070".parse().expect("an endpoint")];
        let share = ShareConfig { share: stage.share(), start, endpoints, goal: None };
        stage.node.add(stage.now, share, &mut stage.out);
        stage
    }

    fn seed() -> Stage {
        Stage::with(Role::Tracker, Start::Holding { metainfo: metainfo(), held: PieceSet::full(PIECES) })
    }

    fn leecher() -> Stage {
        let mut stage = Stage::with(Role::Peer, Start::Described(metainfo()));
        assert!(stage.out.iter().any(|action| matches!(action, Action::Prepare { .. })));
        let (held, wanted) = (PieceSet::empty(PIECES), PieceSet::full(PIECES));
        stage.happens(Event::Prepared {
            share: stage.share(),
            held,
            wanted,
            banned: Vec::new(),
            doubtful: BTreeMap::new(),
        });
        stage
    }

    fn share(&self) -> ShareId {
        self.metainfo.share()
    }

    fn happens(&mut self, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        self.node.handle(self.now, event, &mut out);
        self.node.check();
        out
    }

    /// Lets time pass, deadline by deadline; gives all that was done.
    fn pass(&mut self, span: Duration) -> Vec<Action> {
        let (end, mut done) = (self.now.after(span), Vec::new());
        while let Some(deadline) = self.node.deadline().filter(|deadline| *deadline <= end) {
            self.now = deadline.max(self.now);
            done.extend(self.happens(Event::DeadlineReached));
        }
        self.now = end;
        done
    }

    fn connected(&mut self, ip: [u8; 4], dialled: Option<Endpoint>) -> (LinkId, Vec<Action>) {
        self.links += 1;
        let link = LinkId(self.links);
        let dialled = dialled.map(|endpoint| (self.share(), endpoint));
        let out = self.happens(Event::Connected { link, remote: SocketAddr::from((ip, 40_000)), dialled });
        (link, out)
    }

    fn says(&mut self, link: LinkId, message: Message) -> Vec<Action> {
        self.happens(Event::Received { link, message, payload: Payload::None })
    }

    fn register(&self, n: u8, port: u16) -> Message {
        let (id, share) = (PeerId([n; 20]), self.share());
        Message::Register { id, share, port, agent: String::new(), role: Role::Peer, goal: None }
    }

    /// Peer `n` dials us and registers.
    fn guest(&mut self, n: u8) -> LinkId {
        let (link, _) = self.connected([10, 0, 0, n], None);
        self.says(link, self.register(n, 5000));
        link
    }

    /// Peer `n` is linked, holds everything and serves us.
    fn server(&mut self, n: u8) -> (LinkId, Vec<Action>) {
        let link = self.guest(n);
        self.says(link, stock_of(0, PIECES - 1));
        (link, self.says(link, Message::Unchoke))
    }

    fn block(&self, piece: u64) -> Block {
        self.metainfo.geometry().block(piece, 0, u64::from(LEAF_BYTES)).expect("a block")
    }

    /// A block arrives, is written, and counts.
    fn delivers(&mut self, link: LinkId, piece: u64, digest: Digest) -> Vec<Action> {
        let message = Message::Block { piece, start: 0, length: LEAF_BYTES };
        let mut out =
            self.happens(Event::Received { link, message, payload: Payload::Digests(vec![digest]) });
        if out.iter().any(|action| matches!(action, Action::Write { .. })) {
            let (share, block) = (self.share(), self.block(piece));
            out.extend(self.happens(Event::Wrote { share, block, done: true }));
        }
        out
    }
}

fn stock_of(first: u32, last: u32) -> Message {
    Message::Stock { all: Some(vec![[u64::from(first), u64::from(last)]]), more: None }
}

fn said(actions: &[Action], to: LinkId) -> Vec<&Message> {
    let to_it = |action| match action {
        &Action::Send { link, ref message } if link == to => Some(message),
        _ => None,
    };
    actions.iter().filter_map(to_it).collect()
}

fn farewell(actions: &[Action], to: LinkId) -> Option<ErrorCode> {
    actions.iter().find_map(|action| match action {
        Action::Close { link, farewell: Some(Message::Error { code, .. }) } if *link == to => Some(*code),
        _ => None,
    })
}

fn asked(actions: &[Action], of: LinkId) -> Vec<u64> {
    let piece =
        |message: &&Message| if let Message::Request { piece, .. } = message { Some(*piece) } else { None };
    said(actions, of).iter().filter_map(piece).collect()
}

fn request(piece: u64) -> Message {
    Message::Request { piece, start: 0, length: u64::from(LEAF_BYTES) }
}

fn nacks(actions: &[Action], to: LinkId) -> Vec<(u64, NackReason)> {
    let nack = |message: &&Message| {
        if let Message::Nack { piece, reason, .. } = message { Some((*piece, *reason)) } else { None }
    };
    said(actions, to).iter().filter_map(nack).collect()
}
