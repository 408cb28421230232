//! When who is told of what is held: at once those it matters to, the rest now and then. Knows links, not their peers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::content::PieceIndex;
use crate::ids::LinkId;
use crate::time::Moment;

/// Pieces that are finished within so long of each other are announced in one message: of many small files each is a
/// piece, and a message for each piece and peer would cost more than the files.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// With so many links or fewer everyone is told at once: what is said is little there, and waiting ends later.
const LINKS_FEW: u32 = 4;
/// Each link beyond lengthens the pause of those who are neither served by us nor serve us, so that what is said does not
/// grow with the square of the swarm. (On slow lines most of what wakes anybody is news of pieces: simulated swarms of 8 to
/// 32 end no later for it.)
const PAUSE_PER_LINK: Duration = Duration::from_millis(20);
/// The longest that anybody waits for news of us.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The others, the near, wait for this part of it, and at most so long.
const NEAR_PART: u32 = 4;
const NEAR_PAUSE_MAX: Duration = Duration::from_millis(100);

/// Whom it is time to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Those who are served by us, and those who serve us.
    Near,
    /// Everyone.
    Everyone,
}

/// What is held and was not told to everyone yet. Invariant: no cursor lies behind the end of `news`.
#[derive(Clone, Debug, Default)]
pub struct Announcer {
    /// Held since everyone was told last, in the order of their coming; at most the share's pieces.
    news: Vec<PieceIndex>,
    /// How many of `news` a link heard of; none, where it is not there. At most one for each link.
    told: BTreeMap<LinkId, usize>,
    /// How many of `news` the near were told of.
    told_near: usize,
    /// When the near may be told again.
    near: Moment,
    /// When everyone may be told again.
    everyone: Moment,
}

impl Announcer {
    /// A piece is held from now on.
    pub fn gained(&mut self, piece: PieceIndex) {
        self.news.push(piece);
    }

    /// A link was told just now of all that is held.
    pub fn is_told(&mut self, link: LinkId) {
        self.told.insert(link, self.news.len());
    }

    /// The link is gone.
    pub fn left(&mut self, link: LinkId) {
        self.told.remove(&link);
    }

    /// Everyone was told of all that is held.
    pub fn all_are_told(&mut self) {
        self.news.clear();
        self.told.clear();
        self.told_near = 0;
    }

    /// What a link was not told of yet, in inclusive runs; it counts as told.
    pub fn untold(&mut self, link: LinkId) -> Vec<[u64; 2]> {
        let told = self.told.insert(link, self.news.len()).unwrap_or(0);
        let mut news: Vec<u64> = self.news[told..].iter().map(|piece| u64::from(piece.get())).collect();
        news.sort_unstable();
        let mut runs: Vec<[u64; 2]> = Vec::new();
        for index in news {
            match runs.last_mut() {
                Some([_, last]) if *last + 1 == index => *last = index,
                _ => runs.push([index; 2]),
            }
        }
        runs
    }

    /// Whom to tell now, if anybody. Everyone is told at once `is_last`: nothing more will come to be told with it.
    pub fn audience(&mut self, now: Moment, link_count: usize, is_last: bool) -> Option<Audience> {
        if !self.news.is_empty() && (now >= self.everyone || is_last) {
            self.near = now.after(near_pause(link_count));
            self.everyone = now.after(pause(link_count));
            return Some(Audience::Everyone);
        }
        if self.news.len() > self.told_near && now >= self.near {
            self.near = now.after(near_pause(link_count));
            self.told_near = self.news.len();
            return Some(Audience::Near);
        }
        None
    }

    /// When `audience` is somebody.
    pub fn due(&self) -> Option<Moment> {
        let near = (self.news.len() > self.told_near).then_some(self.near);
        let everyone = (!self.news.is_empty()).then_some(self.everyone);
        near.into_iter().chain(everyone).min()
    }
}

/// How long those wait at most to whom it does not matter yet.
fn pause(link_count: usize) -> Duration {
    let many = u32::try_from(link_count).unwrap_or(u32::MAX).saturating_sub(LINKS_FEW);
    PAUSE_MIN.saturating_add(PAUSE_PER_LINK.saturating_mul(many)).min(PAUSE_MAX)
}

/// How long those wait at most to whom it does.
fn near_pause(link_count: usize) -> Duration {
    (pause(link_count) / NEAR_PART).clamp(PAUSE_MIN, NEAR_PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Geometry;

    const LINK: LinkId = LinkId(7);

    fn later(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(millis))
    }

    fn piece(index: u64) -> PieceIndex {
        Geometry::new(1 << 14, &[10 << 14]).expect("ten pieces").piece(index).expect("one of ten")
    }

    fn with(pieces: &[u64]) -> Announcer {
        let mut announcer = Announcer::default();
        pieces.iter().for_each(|index| announcer.gained(piece(*index)));
        announcer
    }

    #[test]
    fn what_comes_together_is_told_in_runs_and_once() {
        let mut announcer = with(&[5, 3, 9, 4]);
        assert_eq!(announcer.untold(LINK), [[3, 5], [9, 9]]);
        assert!(announcer.untold(LINK).is_empty());
        announcer.gained(piece(6));
        assert_eq!(announcer.untold(LINK), [[6, 6]]);
    }

    #[test]
    fn who_comes_late_hears_only_of_what_came_after_it() {
        let mut announcer = with(&[1, 2]);
        announcer.is_told(LINK);
        announcer.gained(piece(3));
        assert_eq!(announcer.untold(LINK), [[3, 3]]);
        announcer.left(LINK);
        announcer.all_are_told();
        assert_eq!(announcer.due(), None);
    }

    #[test]
    fn with_few_links_everyone_is_told_at_once_and_again_after_a_short_pause() {
        let mut announcer = with(&[1]);
        assert_eq!(announcer.audience(later(0), 4, false), Some(Audience::Everyone));
        announcer.all_are_told();
        announcer.gained(piece(2));
        assert_eq!(announcer.audience(later(19), 4, false), None);
        assert_eq!(announcer.due(), Some(later(20)));
        assert_eq!(announcer.audience(later(20), 4, false), Some(Audience::Everyone));
    }

    #[test]
    fn with_many_links_only_the_near_are_told_between_two_rounds() {
        let mut announcer = with(&[1]);
        assert_eq!(announcer.audience(later(0), 200, false), Some(Audience::Everyone));
        announcer.all_are_told();
        announcer.gained(piece(2));
        assert_eq!(announcer.audience(later(99), 200, false), None);
        assert_eq!(announcer.due(), Some(later(100)));
        assert_eq!(announcer.audience(later(100), 200, false), Some(Audience::Near));
        assert_eq!(announcer.audience(later(200), 200, false), None);
        assert_eq!(announcer.due(), Some(later(1000)));
        assert_eq!(announcer.audience(later(1000), 200, false), Some(Audience::Everyone));
    }

    #[test]
    fn the_last_piece_is_told_to_everyone_at_once() {
        let mut announcer = with(&[1]);
        announcer.audience(later(0), 200, false);
        announcer.all_are_told();
        announcer.gained(piece(2));
        assert_eq!(announcer.audience(later(1), 200, true), Some(Audience::Everyone));
    }
}
