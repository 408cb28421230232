//! Who is due when, in order of time, so that nobody is looked at who is not due.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Moment;

/// One moment for each of some. Invariant: `order` has what `moments` has.
#[derive(Debug)]
pub struct Agenda<K> {
    moments: BTreeMap<K, Moment>,
    order: BTreeSet<(Moment, K)>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Agenda<K> {
        Agenda { moments: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Copy + Ord> Agenda<K> {
    /// `who` is due at `moment`, and at no other any more.
    pub fn set(&mut self, who: K, moment: Moment) {
        let before = self.moments.insert(who, moment);
        if before != Some(moment) {
            before.iter().for_each(|before| {
                self.order.remove(&(*before, who));
            });
            self.order.insert((moment, who));
        }
    }

    /// `who` is never due again.
    pub fn remove(&mut self, who: K) {
        if let Some(moment) = self.moments.remove(&who) {
            self.order.remove(&(moment, who));
        }
    }

    /// When the first is due.
    pub fn first(&self) -> Option<Moment> {
        self.order.first().map(|(moment, _)| *moment)
    }

    /// Who is due by now; they stay in the agenda.
    pub fn due(&self, now: Moment) -> impl Iterator<Item = K> {
        self.order.iter().take_while(move |(moment, _)| *moment <= now).map(|(_, who)| *who)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// All of them, in their own order.
    pub fn everyone(&self) -> impl Iterator<Item = K> {
        self.moments.keys().copied()
    }

    /// Everyone and when each is due; for tests.
    pub fn moments(&self) -> &BTreeMap<K, Moment> {
        &self.moments
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::START.after(Duration::from_secs(secs))
    }

    #[test]
    fn the_first_is_first_whoever_is_put_off_or_struck() {
        let mut agenda = Agenda::default();
        [(1, 30), (2, 10), (3, 20)].into_iter().for_each(|(who, secs)| agenda.set(who, at(secs)));
        assert_eq!(agenda.first(), Some(at(10)));
        agenda.set(2, at(40));
        assert_eq!(agenda.first(), Some(at(20)));
        assert_eq!(agenda.due(at(30)).collect::<Vec<_>>(), [3, 1]);
        agenda.remove(3);
        agenda.remove(3);
        assert_eq!((agenda.first(), agenda.len()), (Some(at(30)), 2));
    }
}
