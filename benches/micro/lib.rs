//! What the micro-benchmarks measure with: lines, digests, and a share of very many pieces with a crowd that wants it.

use std::sync::Arc;

use minibit::chance::Chance;
use minibit::content::metainfo::FileEntry;
use minibit::content::{LEAF_BYTES, Metainfo, Name, PieceIndex, PieceSet, TreePath, merkle};
use minibit::ids::{Digest, LinkId};
use minibit::swarm::bench::Picking;
use minibit::wire::{Message, encode};

/// Pieces of the large share.
pub const PIECES: u32 = 100_000;
/// Linked peers, as many as a share may have.
pub const PEERS: u64 = 200;
/// Bytes of a piece of the large share.
pub const PIECE_BYTES: u32 = 16 * LEAF_BYTES;
/// Leaves of a file of 1 GiB.
pub const GIB_LEAVES: u32 = 65_536;

/// So many different digests.
pub fn digests(count: u32) -> Vec<Digest> {
    (0..count).map(|number| merkle::leaf(&number.to_be_bytes())).collect()
}

/// The line of a message, its LF left off, as `decode` takes it.
pub fn line(message: &Message) -> Vec<u8> {
    let mut line = Vec::new();
    encode(message, &mut line);
    line.truncate(line.len() - 1);
    line
}

/// A PEDIDO.
pub fn request() -> Message {
    Message::Request { piece: 54_321, start: 65_536, length: 262_144 }
}

/// A BLOCO.
pub fn block() -> Message {
    Message::Block { piece: 54_321, start: 65_536, length: 262_144 }
}

/// An ESTOQUE of two thousand runs, about as long as a line may be.
pub fn stock() -> Message {
    let runs = (0..2_000_u64).map(|run| [1_000_000 + 10 * run, 1_000_005 + 10 * run]);
    Message::Stock { all: Some(runs.collect()), more: None }
}

/// One file of so many pieces.
pub fn share(pieces: u32) -> Arc<Metainfo> {
    let name = Name::new(b"share").expect("a name");
    let length = u64::from(pieces) * u64::from(PIECE_BYTES);
    let path = TreePath(vec![name.clone()]);
    let file = FileEntry { path, length, executable: false };
    Arc::new(
        Metainfo::describe(&name, PIECE_BYTES, true, vec![file], digests(pieces), Vec::new())
            .expect("a share"),
    )
}

/// A picker of the large share and a crowd whose members each hold a random half of it.
#[derive(Debug)]
pub struct Market {
    /// The picker, which counts everyone's stock.
    pub picking: Picking,
    /// What each of the crowd holds.
    pub stocks: Vec<(LinkId, PieceSet)>,
    /// Every piece, in random order.
    pub pieces: Vec<PieceIndex>,
}

impl Market {
    /// Of so many pieces and peers.
    pub fn new(pieces: u32, peers: u64) -> Market {
        let (metainfo, mut chance) = (share(pieces), Chance::new(1));
        let mut all: Vec<PieceIndex> = metainfo.geometry().pieces().collect();
        let mut picking = Picking::new(metainfo, 1);
        let half = |chance: &mut Chance| {
            let mut stock = PieceSet::empty(pieces);
            for piece in all.iter().filter(|_| chance.below(2) == 0) {
                stock.insert(*piece);
            }
            stock
        };
        let stocks: Vec<_> = (0..peers).map(|peer| (LinkId(peer), half(&mut chance))).collect();
        for (_, stock) in &stocks {
            stock.iter().for_each(|piece| picking.gained(piece));
        }
        chance.shuffle(&mut all);
        Market { picking, stocks, pieces: all }
    }

    /// One peer is asked for one block, and will not send it after all: the state is as before.
    pub fn pick(&mut self, turn: usize) -> bool {
        let (link, stock) = &self.stocks[turn % self.stocks.len()];
        let block = self.picking.next(*link, stock, PIECE_BYTES, self.stocks.len());
        block.is_some_and(|block| {
            self.picking.release(*link, block);
            true
        })
    }

    /// One piece more somewhere, and one less.
    pub fn announce(&mut self, turn: usize) {
        let piece = self.pieces[turn % self.pieces.len()];
        self.picking.gained(piece);
        self.picking.lost_holder(piece);
    }
}
