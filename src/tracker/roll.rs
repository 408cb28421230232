//! Values by key, each at a numbered place too, so that one can be drawn by chance without looking at the others.

use std::collections::BTreeMap;

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

    /// The value at a place below [`Roll::len`]. Which place is whose changes with each removal.
    pub fn at(&self, place: usize) -> (K, &V) {
        let (key, value) = &self.values[place];
        (*key, value)
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
