//! Chance as the core knows it: a seeded generator, so that one seed gives one story.
//!
//! Serves ties, jitter and the optimistic choice. Never used for secrets.

/// A small generator: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The generator whose whole story is `seed`.
    pub fn new(seed: u64) -> Chance {
        Chance { state: seed }
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing can be chosen from nothing");
        let wide = u128::from(self.draw()) * bound as u128;
        usize::try_from(wide >> 64).expect("the high half of the product is below the bound")
    }

    /// One of `options` with equal chance; none of an empty slice.
    pub fn pick<'a, T>(&mut self, options: &'a [T]) -> Option<&'a T> {
        if options.is_empty() { None } else { Some(&options[self.below(options.len())]) }
    }

    /// Puts `items` in a random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A generator of its own, so that one machine's draws do not shift another's.
    pub fn fork(&mut self) -> Chance {
        Chance::new(self.draw())
    }
}
