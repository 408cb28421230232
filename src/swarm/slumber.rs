//! Whether a peer that is served asks for anything: one that does not keeps a place from those who would.

use std::time::Duration;

use crate::time::Moment;

/// Who may ask, and is owed nothing, and asks for nothing for so long is asleep: an unchoke and the first request after it
/// take as long only on the slowest of lines.
const WAKING: Duration = Duration::from_secs(1);
/// It is taken for asleep for so long, unless it asks before; then it may show once more that it wants something.
const NAP: Duration = Duration::from_secs(60);

/// What is known of one peer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slumber {
    /// Since when it might ask and does not.
    idle_since: Option<Moment>,
    asleep_until: Moment,
    has_asked: bool,
}

impl Slumber {
    /// It asked for something, in time.
    pub fn asked(&mut self) {
        *self = Slumber { has_asked: true, ..Slumber::default() };
    }

    /// How it is now: `idle` where it may ask, wants something and is owed nothing. To be told at each review.
    pub fn watch(&mut self, is_idle: bool, now: Moment) {
        self.idle_since = is_idle.then(|| self.idle_since.unwrap_or(now));
        if self.idle_since.is_some_and(|since| now.since(since) >= WAKING) {
            self.asleep_until = now.after(NAP);
        }
    }

    /// Whether it was served lately and asked for nothing.
    pub fn is_asleep(&self, now: Moment) -> bool {
        now < self.asleep_until
    }

    /// Whether it ever asked for something.
    pub fn has_asked(&self) -> bool {
        self.has_asked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::START.after(Duration::from_millis(millis))
    }

    #[test]
    fn who_asks_for_nothing_for_a_second_is_asleep_for_a_minute_or_until_it_asks() {
        let mut slumber = Slumber::default();
        slumber.watch(true, at(500));
        slumber.watch(true, at(1_499));
        assert!(!slumber.is_asleep(at(1_499)));
        slumber.watch(true, at(1_500));
        slumber.watch(false, at(1_600));
        assert!(slumber.is_asleep(at(61_499)) && !slumber.is_asleep(at(61_500)) && !slumber.has_asked());
        slumber.asked();
        assert!(!slumber.is_asleep(at(1_600)) && slumber.has_asked());
    }

    #[test]
    fn who_was_busy_in_between_is_not_asleep() {
        let mut slumber = Slumber::default();
        slumber.watch(true, at(0));
        slumber.watch(false, at(900));
        slumber.watch(true, at(1_000));
        assert!(!slumber.is_asleep(at(1_000)));
        slumber.asked();
        slumber.watch(true, at(1_900));
        assert!(!slumber.is_asleep(at(1_900)));
    }
}
