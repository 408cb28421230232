//! What is shared, made from a number, and whether a copy of it is right. Looks at bytes alone, never at anybody's word.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use minibit::chance::Chance;
use sha2::{Digest, Sha256};

use crate::job::{Content, SMALL_BYTES, SMALL_FILES};

/// Read and written at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Folders that the small files lie in.
const FOLDERS: u32 = 100;

/// By path below the content, the SHA-256 of each file; a lone file has the empty path.
type Hashes = BTreeMap<PathBuf, [u8; 32]>;

/// The content, and what is true of it.
#[derive(Debug)]
pub struct Payload {
    /// Its folder: what a seed is told to share from.
    pub home: PathBuf,
    /// Its name in there.
    pub name: String,
    /// Bytes in all.
    pub bytes: u64,
    hashes: Hashes,
}

impl Payload {
    /// Makes the content below `home`. The same number makes the same bytes.
    pub fn make(content: Content, seed: u64, home: &Path) -> Result<Payload> {
        fs::create_dir_all(home)?;
        let mut chance = Chance::new(seed);
        let (name, bytes) = match content {
            Content::File(bytes) => {
                let name = format!("random-{bytes}.bin");
                write(&home.join(&name), bytes, &mut chance)?;
                (name, bytes)
            }
            Content::SmallFiles => ("small".to_owned(), make_small(&home.join("small"), &mut chance)?),
        };
        let hashes = hashes(&home.join(&name))?;
        Ok(Payload { home: home.to_owned(), name, bytes, hashes })
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.home.join(&self.name)
    }

    /// Reads the copy in the folder `data`. Errors: it is not exactly this content.
    pub fn verify(&self, data: &Path) -> Result<()> {
        let found = hashes(&data.join(&self.name))?;
        for (path, hash) in &self.hashes {
            ensure!(found.get(path) == Some(hash), "wrong bytes or none in '{}'", path.display());
        }
        ensure!(found.len() == self.hashes.len(), "files that are not part of the content");
        Ok(())
    }
}

fn make_small(folder: &Path, chance: &mut Chance) -> Result<u64> {
    let mut bytes = 0;
    for number in 0..SMALL_FILES {
        let place = folder.join(format!("{:02}", number % FOLDERS));
        fs::create_dir_all(&place)?;
        let length = SMALL_BYTES.0 + chance.draw() % (SMALL_BYTES.1 - SMALL_BYTES.0 + 1);
        write(&place.join(format!("{number:05}.bin")), length, chance)?;
        bytes += length;
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: u64, chance: &mut Chance) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("{} cannot be made", path.display()))?;
    let mut left = bytes;
    let mut chunk = vec![0_u8; CHUNK_BYTES.min(usize::try_from(bytes)?.next_multiple_of(8))];
    while left > 0 {
        chunk.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&chance.draw().to_le_bytes()));
        let length = usize::try_from(left.min(chunk.len() as u64))?;
        file.write_all(&chunk[..length])?;
        left -= length as u64;
    }
    Ok(())
}

fn hashes(path: &Path) -> Result<Hashes> {
    let mut hashes = Hashes::new();
    let mut folders = vec![PathBuf::new()];
    if path.is_file() {
        folders.clear();
        hashes.insert(PathBuf::new(), hash(path)?);
    }
    while let Some(folder) = folders.pop() {
        let here = path.join(&folder);
        for entry in fs::read_dir(&here).with_context(|| format!("{} cannot be read", here.display()))? {
            let entry = entry?;
            let below = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(below);
            } else {
                hashes.insert(below, hash(&entry.path())?);
            }
        }
    }
    Ok(hashes)
}

fn hash(path: &Path) -> Result<[u8; 32]> {
    let mut file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0_u8; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hasher.finalize().into()),
            length => hasher.update(&chunk[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_makes_the_same_bytes_and_a_flipped_one_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let (one, other) = (place.path().join("one"), place.path().join("other"));
        let payload = Payload::make(Content::File(100_001), 7, &one).unwrap();
        let copy = Payload::make(Content::File(100_001), 7, &other).unwrap();
        payload.verify(&other).unwrap();
        let mut bytes = fs::read(copy.path()).unwrap();
        bytes[100_000] ^= 1;
        fs::write(copy.path(), bytes).unwrap();
        assert!(payload.verify(&other).is_err());
        assert!(payload.verify(&place.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_file_too_many_is_no_right_copy() {
        let place = tempfile::tempdir().unwrap();
        let name = "folder".to_owned();
        fs::create_dir_all(place.path().join("folder/sub")).unwrap();
        fs::write(place.path().join("folder/sub/file"), "bytes").unwrap();
        let hashes = hashes(&place.path().join(&name)).unwrap();
        let payload = Payload { home: place.path().into(), name, bytes: 5, hashes };
        payload.verify(place.path()).unwrap();
        fs::write(place.path().join("folder/more"), "bytes").unwrap();
        assert!(payload.verify(place.path()).is_err());
    }
}
