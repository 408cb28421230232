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
/// grow with the square of the swarm.
const PAUSE_PER_LINK: Duration = Duration::from_millis(20);
/// But no longer than so many of our pieces take to come: on slow lines most of what wakes anybody is news of pieces, on
/// fast ones a swarm would end later for the waiting.
const PIECES_TOGETHER: u32 = 5;
/// With so many links or more it may be longer all the same, by so much for each.
const LINKS_MANY: u32 = 30;
const PAUSE_PER_LINK_OF_MANY: Duration = Duration::from_millis(6);
/// The weight of the last piece in the usual time between two.
const SMOOTHING: u32 = 8;
/// The longest that anybody waits for news of us.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The near wait for this part of the others' pause, and at most so long.
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
    /// When the last piece came, and the usual time between two.
    gained: Moment,
    interval: Duration,
    /// When the near may be told again.
    near: Moment,
    /// When everyone may be told again.
    everyone: Moment,
}

impl Announcer {
    /// A piece is held from now on.
    pub fn gained(&mut self, piece: PieceIndex, now: Moment) {
        self.news.push(piece);
        self.interval = (self.interval * (SMOOTHING - 1) + now.since(self.gained)) / SMOOTHING;
        self.gained = now;
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
        let pause = pause(link_count, self.interval);
        if !self.news.is_empty() && (now >= self.everyone || is_last) {
            self.near = now.after(near_pause(pause));
            self.everyone = now.after(pause);
            return Some(Audience::Everyone);
        }
        if self.news.len() > self.told_near && now >= self.near {
            self.near = now.after(near_pause(pause));
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

/// How long those wait at most to whom it does not matter yet, where pieces come at this `interval`.
fn pause(link_count: usize, interval: Duration) -> Duration {
    let beyond = |links: u32| u32::try_from(link_count).unwrap_or(u32::MAX).saturating_sub(links);
    let wanted = PAUSE_PER_LINK.saturating_mul(beyond(LINKS_FEW));
    let allowed = interval.saturating_mul(PIECES_TOGETHER);
    let of_many = PAUSE_PER_LINK_OF_MANY.saturating_mul(beyond(LINKS_MANY));
    PAUSE_MIN.saturating_add(wanted.min(allowed.max(of_many))).min(PAUSE_MAX)
}

/// How long the near wait, where the others wait for `pause`.
fn near_pause(pause: Duration) -> Duration {
    (pause / NEAR_PART).clamp(PAUSE_MIN, NEAR_PAUSE_MAX)
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
        pieces.iter().for_each(|index| announcer.gained(piece(*index), later(0)));
        announcer
    }

    #[test]
    fn what_comes_together_is_told_in_runs_and_once() {
        let mut announcer = with(&[5, 3, 9, 4]);
        assert_eq!(announcer.untold(LINK), [[3, 5], [9, 9]]);
        assert!(announcer.untold(LINK).is_empty());
        announcer.gained(piece(6), later(0));
        assert_eq!(announcer.untold(LINK), [[6, 6]]);
    }

    #[test]
    fn who_comes_late_hears_only_of_what_came_after_it() {
        let mut announcer = with(&[1, 2]);
        announcer.is_told(LINK);
        announcer.gained(piece(3), later(0));
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
        announcer.gained(piece(2), later(0));
        assert_eq!(announcer.audience(later(19), 4, false), None);
        assert_eq!(announcer.due(), Some(later(20)));
        assert_eq!(announcer.audience(later(20), 4, false), Some(Audience::Everyone));
    }

    #[test]
    fn with_many_links_only_the_near_are_told_between_two_rounds() {
        let mut announcer = with(&[1]);
        assert_eq!(announcer.audience(later(0), 200, false), Some(Audience::Everyone));
        announcer.all_are_told();
        announcer.gained(piece(2), later(0));
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
        announcer.gained(piece(2), later(0));
        assert_eq!(announcer.audience(later(1), 200, true), Some(Audience::Everyone));
    }

    #[test]
    fn the_pause_grows_with_the_links_but_not_beyond_the_time_of_a_few_pieces() {
        let millis = |links, interval| pause(links, Duration::from_millis(interval)).as_millis();
        assert_eq!([4, 5, 16].map(|links| millis(links, 1_000)), [20, 40, 260]);
        assert_eq!([4, 5, 16].map(|links| millis(links, 1)), [20, 25, 25]);
        assert_eq!(millis(16, 20), 120);
        assert_eq!([40, 80].map(|links| millis(links, 1)), [80, 320], "many links wait all the same");
        assert_eq!(millis(1_000, 1_000), 1_000);
    }

    #[test]
    fn the_near_wait_for_a_part_of_it() {
        let millis = |pause| near_pause(Duration::from_millis(pause)).as_millis();
        assert_eq!([20, 100, 260, 1_000].map(millis), [20, 25, 65, 100]);
    }

    #[test]
    fn the_usual_time_between_two_pieces_follows_the_last_ones() {
        let mut announcer = Announcer::default();
        (1..=100).for_each(|n| announcer.gained(piece(1), later(10 * n)));
        assert!((9..=10).contains(&announcer.interval.as_millis()), "{:?}", announcer.interval);
    }
}
