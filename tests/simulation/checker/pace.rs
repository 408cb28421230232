//! How often a machine does something, by the clock that it is shown: no storm, also when much is due at once.

use std::collections::BTreeMap;

use minibit::ids::{Endpoint, ShareId};
use minibit::time::Moment;

use crate::queue::{Micros, SECOND};

/// The shortest pause between two dials of one place.
const DIAL_PAUSE: Micros = SECOND;

/// What the checker knows of one life's paces.
#[derive(Debug, Default)]
pub struct Pace {
    shown: Micros,
    dialled: BTreeMap<(ShareId, Endpoint), Micros>,
}

impl Pace {
    /// The clock shows this from now on. Whether it jumped back: no pace can be told from what it showed before.
    pub fn shows(&mut self, moment: Moment) -> bool {
        let is_back = moment.micros() < self.shown;
        self.shown = moment.micros();
        if is_back {
            self.dialled.clear();
        }
        is_back
    }

    /// What the clock shows.
    pub fn shown(&self) -> Micros {
        self.shown
    }

    /// A place is dialled.
    pub fn dial(&mut self, machine: usize, share: ShareId, endpoint: &Endpoint) {
        let last = self.dialled.insert((share, endpoint.clone()), self.shown);
        let is_late = last.is_none_or(|last| self.shown >= last + DIAL_PAUSE);
        assert!(is_late, "machine {machine} dials {endpoint} twice within a second");
    }
}
