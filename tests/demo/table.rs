//! The end: SHA-256 of every file at the seed and at each peer, side by side.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use minibit::console::human;
use sha2::{Digest, Sha256};

use super::story::Received;

/// Digits of a hash in the table; compared is the whole.
const SHOWN_DIGITS: usize = 8;

/// Prints it all; true when each peer has exactly the seed's files.
pub fn print(seed: &Path, peers: &[Received]) -> Result<bool> {
    let wanted = hashes(seed)?;
    println!("\nSHA-256 of what the seed has");
    let width = wanted.keys().map(String::len).max().unwrap_or(0).max(SHOWN_DIGITS);
    for (name, hash) in &wanted {
        println!("  {name:width$}  {hash}");
    }
    println!("\n{}", heading(&wanted));
    let mut all_same = true;
    for (number, peer) in peers.iter().enumerate() {
        let found = hashes(&peer.path)?;
        all_same &= found == wanted;
        println!("{}", row(number + 1, &wanted, &found, peer));
    }
    let verdict = if all_same { "Every file is the same everywhere." } else { "NOT the same everywhere." };
    println!("\n{verdict}");
    Ok(all_same)
}

fn heading(wanted: &BTreeMap<String, String>) -> String {
    let names: String = wanted.keys().map(|name| format!("  {name:SHOWN_DIGITS$}")).collect();
    format!("peer{names}  same  from seed  from peers")
}

fn row(
    number: usize,
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    peer: &Received,
) -> String {
    let short = |name: &String| found.get(name).map_or("-", |hash| &hash[..SHOWN_DIGITS]);
    let cell = |name: &String| format!("  {:1$}", short(name), name.len().max(SHOWN_DIGITS));
    let cells: String = wanted.keys().map(cell).collect();
    let same = if found == wanted { "yes" } else { "NO" };
    let (seed, peers) = (human::bytes(peer.from_seed_bytes), human::bytes(peer.from_peer_bytes));
    format!("{number:<4}{cells}  {same:4}  {seed:>9}  {peers:>10}")
}

/// Name and hash of each file of a folder without folders.
fn hashes(folder: &Path) -> Result<BTreeMap<String, String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    entries
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), hash(&entry.path())?))
        })
        .collect()
}

/// In lower-case hex.
fn hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0_u8; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(HEXLOWER.encode(&hasher.finalize())),
            length => hasher.update(&chunk[..length]),
        }
    }
}
