//! Values by key, each at a numbered place too, so that one can be drawn by chance without looking at the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::chance::Chance;

/// So many looks are taken for each one that is wanted, at most.
const LOOKS: usize = 4;

/// Values by key. Invariant: `places[key]` is where in `values` that key stands.
#[derive(Debug)]
pub struct Roll<K, V> {
    values: Vec<(K, V)>,
    places: BTreeMap<K, usize>,
}

impl<K: Copy + Ord, V> Roll<K, V> {
    /// Nobody on it.
    pub fn new() -> Roll<K, V> {
        Roll { values: Vec::new(), places: BTreeMap::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of `key`.
    pub fn get(&self, key: K) -> Option<&V> {
        self.places.get(&key).map(|place| &self.values[*place].1)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.places.get(&key).map(|place| &mut self.values[*place].1)
    }

    /// Adds a value or replaces that of its key, which is then returned.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(known) = self.get_mut(key) {
            return Some(std::mem::replace(known, value));
        }
        self.places.insert(key, self.values.len());
        self.values.push((key, value));
        None
    }

    /// Takes a value out; the last one moves into its place.
    pub fn remove(&mut self, key: K) -> Option<V> {
        let place = self.places.remove(&key)?;
        let (_, value) = self.values.swap_remove(place);
        if let Some((moved, _)) = self.values.get(place) {
            self.places.insert(*moved, place);
        }
        Some(value)
    }

    /// At most `most` of them by chance, as `usable` makes them or none. Everyone is looked at while they are few, beyond that
    /// no more than a few times as many as are wanted, so that the cost does not grow with the roll.
    pub fn some<T>(&self, most: usize, chance: &mut Chance, usable: impl Fn(K, &V) -> Option<T>) -> Vec<T> {
        let look = |place: usize| usable(self.values[place].0, &self.values[place].1);
        if self.len() <= LOOKS * most {
            let mut places: Vec<usize> = (0..self.len()).collect();
            chance.shuffle(&mut places);
            return places.into_iter().filter_map(look).take(most).collect();
        }
        let (mut drawn, mut found) = (BTreeSet::new(), Vec::with_capacity(most));
        for _ in 0..LOOKS * most {
            let place = chance.below(self.len());
            if drawn.insert(place) {
                found.extend(look(place));
            }
            if found.len() == most {
                break;
            }
        }
        found
    }

    /// All of them, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.values.iter().map(|(key, value)| (*key, value))
    }

    /// Asserts the invariant; for tests.
    pub fn check(&self) {
        assert_eq!(self.places.len(), self.values.len());
        for (key, place) in &self.places {
            assert!(self.values[*place].0 == *key, "a place is another's");
        }
    }
}
