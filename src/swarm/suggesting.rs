//! What a seed suggests: to each peer what it has given out least, so that each byte leaves it about once.

use crate::chance::Chance;
use crate::content::{Geometry, PieceIndex, PieceSet};

use super::picker::Rarity;

/// Suggestions that one peer has not taken up yet.
const OPEN_MAX: usize = 4;

/// How often each piece was given out or suggested.
#[derive(Clone, Debug)]
pub struct Suggester {
    given: Rarity,
}

impl Suggester {
    /// Nothing given out yet of what is held.
    pub fn new(geometry: &Geometry, held: &PieceSet, chance: &mut Chance) -> Suggester {
        let mut given = Rarity::new(geometry.piece_count());
        let mut pieces: Vec<PieceIndex> = held.iter().collect();
        chance.shuffle(&mut pieces);
        pieces.into_iter().for_each(|piece| given.open(piece));
        Suggester { given }
    }

    /// Pieces to suggest to a peer that holds `stock` and was suggested `open` already. They count as given.
    pub fn suggest(&mut self, stock: &PieceSet, open: &[PieceIndex], chance: &mut Chance) -> Vec<PieceIndex> {
        let mut new = Vec::new();
        while open.len() + new.len() < OPEN_MAX {
            let fits = |piece| !stock.contains(piece) && !open.contains(&piece) && !new.contains(&piece);
            let Some(piece) = self.given.first_that(fits, chance) else { break };
            self.given.raise(piece);
            new.push(piece);
        }
        new
    }

    /// A piece was asked for that was not suggested.
    pub fn was_taken(&mut self, piece: PieceIndex) {
        self.given.raise(piece);
    }

    /// A piece is no longer held.
    pub fn forget(&mut self, piece: PieceIndex) {
        self.given.close(piece);
    }
}
