//! Time as the core knows it: a number handed in, never a clock that is read.

use std::time::Duration;

/// A point in time, in microseconds since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment {
    micros: u64,
}

impl Moment {
    /// When the node started.
    pub const START: Moment = Moment { micros: 0 };

    /// The moment `span` later; stays at the end of time rather than wrapping.
    pub fn after(self, span: Duration) -> Moment {
        let span = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        Moment { micros: self.micros.saturating_add(span) }
    }

    /// How long ago `earlier` was; zero when it is not earlier.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_micros(self.micros.saturating_sub(earlier.micros))
    }

    /// Microseconds since the start.
    pub fn micros(self) -> u64 {
        self.micros
    }
}
