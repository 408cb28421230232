//! One machine's monotonic clock as its core sees it: it may run fast or slow, jump, or stand still.

use std::time::Duration;

use minibit::time::Moment;

use crate::queue::Micros;

const MILLION: i128 = 1_000_000;

/// Turns the world's time into the machine's moments and back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    started: Micros,
    /// How much faster than the world's time, in millionths.
    drift: i128,
    /// Microseconds ahead of what it would show without jumps.
    ahead: i128,
}

impl Clock {
    /// A clock that runs `drift` millionths faster than the world's time.
    pub fn new(started: Micros, drift: i128) -> Clock {
        Clock { started, drift, ahead: 0 }
    }

    /// What it shows.
    pub fn moment(&self, now: Micros) -> Moment {
        let micros = self.unjumped(now) + self.ahead;
        Moment::START.after(Duration::from_micros(u64::try_from(micros.max(0)).expect("few centuries")))
    }

    /// The first moment of the world at which it shows `moment` or later.
    pub fn reaches(&self, moment: Moment) -> Micros {
        let span = (i128::from(moment.micros()) - self.ahead).max(0) * MILLION;
        let rate = MILLION + self.drift;
        let span = (span + rate - 1) / rate;
        self.started.saturating_add(u64::try_from(span).unwrap_or(u64::MAX))
    }

    /// Jumps by so many microseconds, back where negative.
    pub fn jump(&mut self, micros: i128) {
        self.ahead += micros;
    }

    /// Stood still from `since` to `now`.
    pub fn stood_still(&mut self, since: Micros, now: Micros) {
        self.ahead -= self.unjumped(now) - self.unjumped(since);
    }

    fn unjumped(&self, now: Micros) -> i128 {
        i128::from(now - self.started) * (MILLION + self.drift) / MILLION
    }
}

#[test]
fn a_deadline_is_reached_at_the_first_moment_that_shows_it_however_the_clock_runs() {
    for drift in [-50_000, -7, 0, 13, 50_000] {
        let mut clock = Clock::new(1_000, drift);
        clock.jump(777);
        for micros in [778, 1_000, 999_999, 12_345_678] {
            let moment = Moment::START.after(Duration::from_micros(micros));
            let at = clock.reaches(moment);
            assert!(clock.moment(at) >= moment && (at == 1_000 || clock.moment(at - 1) < moment));
        }
    }
}

#[test]
fn a_clock_that_stood_still_shows_what_it_showed() {
    let mut clock = Clock::new(0, 50_000);
    let before = clock.moment(1_000_000);
    clock.stood_still(1_000_000, 61_000_000);
    assert_eq!(clock.moment(61_000_000), before);
}
