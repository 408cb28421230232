//! What is to be done: how much, by how many, over what lines; and the least time that any protocol needs for it.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Bits of a megabit.
const MEGABIT: f64 = 1e6;
/// How many small files there are, and how long each may be.
pub const SMALL_FILES: u32 = 10_000;
/// Bytes of a small file: from the first to the second.
pub const SMALL_BYTES: (u64, u64) = (1024, 65_536);

/// The jobs that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// 1 GiB to one peer, unshaped
    One,
    /// 1 GiB to four
    Four,
    /// 1 GiB to eight
    Eight,
    /// 64 MiB to four peers, all lines 50 Mbit/s up and down, 20 ms one way
    #[value(name = "shaped-4")]
    Shaped4,
    /// The same, eight peers
    #[value(name = "shaped-8")]
    Shaped8,
    /// The same, sixteen peers
    #[value(name = "shaped-16")]
    Shaped16,
    /// 64 MiB to eight peers of 10 Mbit/s up and 50 down, the seed 50 up, 20 ms one way
    Uneven,
    /// 10,000 files of 1 to 64 KiB to one peer
    #[value(name = "small-1")]
    Small1,
    /// 10,000 files to four peers
    #[value(name = "small-4")]
    Small4,
    /// Memory of a seed that nobody asks for its 1 GiB
    Idle,
}

/// What is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// One file of so many bytes.
    File(u64),
    /// A folder of [`SMALL_FILES`].
    SmallFiles,
}

/// The lines: megabits a second, and the delay of one way in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Up, the seed's.
    pub seed_up: f64,
    /// Up, a peer's.
    pub peer_up: f64,
    /// Down, everyone's.
    pub down: f64,
    /// Between any two.
    pub delay_ms: u32,
}

/// One job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// As it was typed.
    pub name: String,
    /// How many get it; none = only the seed's memory is of interest.
    pub peers: u8,
    /// What is shared.
    pub content: Content,
    /// None = as fast as the machine goes.
    pub shape: Option<Shape>,
    /// Piece length of the BitTorrent contenders; minibit chooses its own.
    pub piece_bytes: u32,
}

impl Job {
    /// The job that a preset means, with another size or number of peers where they are given.
    pub fn new(preset: Preset, bytes: Option<u64>, peers: Option<u8>) -> Job {
        let even = Shape { seed_up: 50.0, peer_up: 50.0, down: 50.0, delay_ms: 20 };
        let (count, content, shape) = match preset {
            Preset::One => (1, Content::File(1 << 30), None),
            Preset::Four => (4, Content::File(1 << 30), None),
            Preset::Eight => (8, Content::File(1 << 30), None),
            Preset::Shaped4 => (4, Content::File(64 << 20), Some(even)),
            Preset::Shaped8 => (8, Content::File(64 << 20), Some(even)),
            Preset::Shaped16 => (16, Content::File(64 << 20), Some(even)),
            Preset::Uneven => (8, Content::File(64 << 20), Some(Shape { peer_up: 10.0, ..even })),
            Preset::Small1 => (1, Content::SmallFiles, None),
            Preset::Small4 => (4, Content::SmallFiles, None),
            Preset::Idle => (0, Content::File(1 << 30), None),
        };
        let content = match (content, bytes) {
            (Content::File(_), Some(bytes)) => Content::File(bytes),
            _ => content,
        };
        let is_large = matches!(content, Content::File(bytes) if bytes > 256 << 20);
        Job {
            name: preset.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned()),
            peers: if preset == Preset::Idle { 0 } else { peers.unwrap_or(count) },
            content,
            shape,
            piece_bytes: if is_large { 1 << 20 } else { 256 << 10 },
        }
    }

    /// The least seconds in which `bytes` can reach everyone, whatever is said between them; none where no line is shaped.
    ///
    /// The fluid limit max(F/u_seed, F/d_min, N·F/(u_seed + Σ u_i)): Kumar and Ross, "Peer-assisted file distribution: the
    /// minimum distribution time", 2006.
    pub fn bound(&self, bytes: u64) -> Option<f64> {
        let shape = self.shape?;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let megabits = bytes as f64 * 8.0 / MEGABIT;
        let peers = f64::from(self.peers);
        let together = peers * megabits / (shape.seed_up + peers * shape.peer_up);
        Some((megabits / shape.seed_up).max(megabits / shape.down).max(together))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(preset: Preset) -> f64 {
        Job::new(preset, None, None).bound(64 << 20).expect("shaped")
    }

    #[test]
    fn on_even_lines_the_seeds_own_line_is_the_bound() {
        assert!((bound(Preset::Shaped4) - 10.737).abs() < 0.001);
        assert!((bound(Preset::Shaped16) - 10.737).abs() < 0.001);
    }

    #[test]
    fn with_slow_uplinks_all_uplinks_together_are_the_bound() {
        assert!((bound(Preset::Uneven) - 8.0 * 536.870_912 / 130.0).abs() < 0.001);
    }

    #[test]
    fn without_shape_there_is_no_bound() {
        assert_eq!(Job::new(Preset::Four, None, None).bound(1 << 30), None);
    }

    #[test]
    fn a_preset_keeps_its_lines_when_its_size_and_crowd_are_changed() {
        let job = Job::new(Preset::Shaped8, Some(1 << 20), Some(2));
        assert_eq!((job.name.as_str(), job.peers, job.content), ("shaped-8", 2, Content::File(1 << 20)));
        assert_eq!(job.shape, Job::new(Preset::Shaped8, None, None).shape);
        assert_eq!(Job::new(Preset::Small4, Some(5), None).content, Content::SmallFiles);
        assert_eq!(Job::new(Preset::Idle, None, Some(4)).peers, 0);
    }
}
