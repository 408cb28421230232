//! The one clock of a run: turns the runtime's monotonic time into the core's moments and back.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::time::Moment;

/// The shortest pause between two wake-ups, so that a deadline that stays in the past starves nothing else.
const WAKE_PAUSE: Duration = Duration::from_millis(1);

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    woken: Instant,
}

impl Clock {
    pub(crate) fn new() -> Clock {
        let start = Instant::now();
        Clock { start, woken: start }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::START.after(self.start.elapsed())
    }

    /// Waits until `deadline`; for ever without one.
    pub(crate) async fn reach(&self, deadline: Option<Moment>) {
        match deadline {
            Some(moment) => sleep_until(self.instant(moment).max(self.woken + WAKE_PAUSE)).await,
            None => std::future::pending().await,
        }
    }

    /// Notes that a deadline was just answered.
    pub(crate) fn wake(&mut self) {
        self.woken = Instant::now();
    }

    fn instant(&self, moment: Moment) -> Instant {
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        self.start + Duration::from_micros(moment.micros()).min(century)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_is_reached_when_its_moment_has_come() {
        let clock = Clock::new();
        clock.reach(Some(Moment::START.after(Duration::from_secs(7)))).await;
        assert_eq!(clock.now().since(Moment::START).as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_stays_in_the_past_wakes_at_most_a_thousand_times_a_second() {
        let mut clock = Clock::new();
        let begun = Instant::now();
        for _ in 0..1000 {
            clock.reach(Some(Moment::START)).await;
            clock.wake();
        }
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }
}
