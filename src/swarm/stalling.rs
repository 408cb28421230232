//! Tells the person of a download that goes no further, and what may help; not of one that is slow, held or done.

use std::time::Duration;

use crate::seam::{Action, News};
use crate::time::Moment;

use super::{Part, Swarm, Turn, rate};

/// Without a byte of use for so long, the person is told.
const PATIENCE: Duration = Duration::from_secs(60);
/// And not again for so long, whatever happens.
const QUIET: Duration = Duration::from_secs(3_600);

/// How far the download ever was, since when, and when the person was told last.
#[derive(Clone, Debug, Default)]
pub struct Stall {
    is_described: bool,
    bytes: u64,
    since: Moment,
    told: Option<Moment>,
}

impl Stall {
    /// A download that begins now.
    pub fn new(now: Moment) -> Stall {
        Stall { since: now, ..Stall::default() }
    }

    /// Whether it is time to say that nothing comes any more. False bytes are no progress: they are taken back.
    fn is_told(&mut self, now: Moment, is_described: bool, bytes: u64) -> bool {
        if bytes > self.bytes || is_described != self.is_described {
            (self.bytes, self.is_described, self.since) = (bytes.max(self.bytes), is_described, now);
        }
        let is_due = now.since(self.since) >= PATIENCE && self.told.is_none_or(|at| now.since(at) >= QUIET);
        if is_due {
            self.told = Some(now);
        }
        is_due
    }
}

impl Swarm {
    /// Tells the person when nothing of use came for long, though something is wanted and may be asked for.
    pub(super) fn watch_progress(&mut self, turn: &mut Turn<'_>) {
        let is_preparing = self.metainfo.is_some() && self.picker.is_none();
        let is_done = self.part != Part::Downloads || self.is_seed();
        if is_done || is_preparing || self.is_halted || !rate::is_open(&mut turn.purse.down, turn.now) {
            self.stall.since = turn.now;
            return;
        }
        let bytes = self.totals.from_seed_bytes + self.totals.from_peer_bytes;
        if self.stall.is_told(turn.now, self.metainfo.is_some(), bytes) {
            let text = format!("no progress for a minute: {}", self.what_is_missing());
            turn.out.push(Action::Tell(News::Trouble { share: Some(self.share), text }));
        }
    }

    /// What keeps the download, and what may help.
    fn what_is_missing(&self) -> String {
        let linked = self.link_count();
        let peers = if linked == 1 { "the one peer".to_owned() } else { format!("the {linked} peers") };
        match &self.picker {
            _ if linked == 0 => {
                "nobody is linked; see that whoever shares this is running and can be reached from here"
                    .to_owned()
            }
            None => format!("none of {peers} here says what is shared; somebody who has it must come"),
            Some(picker) if self.reasons.is_empty() => format!(
                "none of {peers} here has any of the {} missing pieces; somebody who has them must come",
                picker.lacking().count()
            ),
            Some(_) if linked == 1 => {
                "the one peer here says to have what is missing and does not send it; name another if you know one"
                    .to_owned()
            }
            Some(_) => format!(
                "{peers} here say to have what is missing and do not send it; name another if you know one"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(secs: u64) -> Moment {
        Moment::START.after(Duration::from_secs(secs))
    }

    #[test]
    fn the_person_is_told_after_a_minute_without_a_byte_of_use_and_then_once_an_hour() {
        let mut stall = Stall::new(Moment::START);
        let told: Vec<u64> = (0..8_000).filter(|secs| stall.is_told(later(*secs), true, 0)).collect();
        assert_eq!(told, [60, 3_660, 7_260]);
    }

    #[test]
    fn bytes_that_are_taken_back_and_come_again_are_no_progress() {
        let mut stall = Stall::new(Moment::START);
        let told = (0..100).filter(|secs| stall.is_told(later(*secs), true, 1_000 * (secs % 2)));
        assert_eq!(told.collect::<Vec<_>>(), [61]);
    }

    #[test]
    fn a_slow_download_is_no_trouble() {
        let mut stall = Stall::new(Moment::START);
        assert!(!(0..8_000).any(|secs| stall.is_told(later(secs), true, secs / 50)));
    }
}
