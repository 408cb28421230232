//! What the demo shares: the four media files, or one file made up on the spot.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use minibit::chance::Chance;

/// What is shared, and how fast the seed may send it.
pub struct Content {
    /// The folder.
    pub path: PathBuf,
    /// For `--limit-up`: slow enough that the peers' own exchange can be watched.
    pub seed_limit: Option<&'static str>,
}

/// The media files, or a folder below `place` with a file of `bytes` bytes.
pub fn find_or_make(bytes: Option<u64>, place: &Path) -> Result<Content> {
    let Some(bytes) = bytes else {
        let path = super::project().join("testdata/media");
        return Ok(Content { path, seed_limit: Some("1MB") });
    };
    let path = place.join("seed/random");
    fs::create_dir_all(&path)?;
    make(&path.join("random.bin"), bytes).context("the file to share cannot be made")?;
    Ok(Content { path, seed_limit: None })
}

/// A file of `bytes` bytes that no one can compress or guess, the same each time.
fn make(path: &Path, bytes: u64) -> Result<()> {
    let mut file = File::create(path)?;
    let mut chance = Chance::new(bytes);
    let mut chunk = vec![0_u8; 1 << 20];
    let mut left = bytes;
    while left > 0 {
        chunk.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&chance.draw().to_le_bytes()));
        let length = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
        file.write_all(&chunk[..length])?;
        left -= length as u64;
    }
    Ok(())
}
