//! What a puppet does and what it leaves undone. Only names it: the puppet does it.

use minibit::wire::NackReason;

/// What it says to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claims {
    /// Nothing, whatever it got.
    Nothing,
    /// Everything, whatever it got.
    Everything,
    /// What it got, as an honest peer does.
    Got,
}

/// When bytes are false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Of a hundred blocks, so many.
    Percent(usize),
    /// Once the one who asks lacks little: there blocks are asked of several.
    Late,
    /// Where it gives only a part of a piece, so that another is at it too.
    Shared,
    /// After so many true blocks on a link, all.
    After(u32),
}

/// How it answers a request for what it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// With the true bytes.
    True,
    /// With false ones at times.
    False(When),
    /// Not at all.
    Silence,
    /// With a refusal.
    Refused(NackReason),
    /// With the true bytes, except of the last piece of the share, of which it keeps the last leaf for ever.
    AllButTheLast,
}

/// How it answers a request for leaf hashes or the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// Truly.
    True,
    /// With made-up bytes.
    False,
    /// That it has nothing.
    Nothing,
    /// Not at all.
    Silence,
}

/// Whom it dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dials {
    /// Whom it was given at the beginning.
    Given,
    /// Everyone it hears of.
    Everyone,
}

/// Whom it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// Whoever is interested.
    Everyone,
    /// Who serves it, and nobody else.
    WhoServesIt,
    /// Nobody: it never unchokes.
    Nobody,
}

/// All of them.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// What it says to hold.
    pub claims: Claims,
    /// What it answers requests with.
    pub blocks: Blocks,
    /// And for leaf hashes.
    pub leaves: Answers,
    /// And for the description.
    pub metainfo: Answers,
    /// Whom it unchokes.
    pub serves: Serves,
    /// Whether it downloads.
    pub asks: bool,
    /// Whom it dials.
    pub dials: Dials,
    /// Leaves and comes back as somebody else once it got so many bytes on a link, or was choked.
    pub returns_after: Option<u64>,
    /// Whether it comes back as somebody else, a while after it was banned.
    pub comes_back: bool,
    /// Whether it says that it accepts connections, and does.
    pub listens: bool,
}

impl Default for Habits {
    /// A seed like any other.
    fn default() -> Habits {
        Habits {
            claims: Claims::Everything,
            blocks: Blocks::True,
            leaves: Answers::True,
            metainfo: Answers::True,
            serves: Serves::Everyone,
            asks: false,
            dials: Dials::Everyone,
            returns_after: None,
            comes_back: false,
            listens: true,
        }
    }
}

impl Habits {
    /// Takes from everyone it can reach and gives nothing.
    pub fn rider() -> Habits {
        let (claims, serves) = (Claims::Got, Serves::Nobody);
        Habits { claims, serves, asks: true, ..Habits::default() }
    }
}
