//! The short run: every input that is kept, and some thousands made of them, against every target.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use minibit::chance::Chance;
use minibit_fuzz::{TARGETS, Target, target};

/// How long a target is tried with inputs that are made up, and with how many at most.
const SPAN: Duration = Duration::from_secs(2);
const MADE_UP_MAX: usize = 3_000;
/// What is kept of all targets together.
const CORPUS_BYTES_MAX: u64 = 400 * 1024;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One that is near a kept one: bytes changed, cut out, put in, or taken from another.
fn made_up(chance: &mut Chance, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut input = chance.pick(kept).cloned().unwrap_or_default();
    for _ in 0..=chance.below(4) {
        let at = chance.below(input.len() + 1);
        let until = at + chance.below((input.len() - at).min(16) + 1);
        match chance.below(4) {
            0 if at < input.len() => input[at] = chance.draw().to_le_bytes()[0],
            1 => drop(input.drain(at..until)),
            2 => input.insert(at, *chance.pick(b"\0\xff0/:\"[{d\n").unwrap()),
            _ => {
                let other = chance.pick(kept).map_or(&[][..], Vec::as_slice);
                let from = chance.below(other.len() + 1);
                input.splice(at..until, other[from..].iter().take(16).copied());
            }
        }
    }
    input
}

fn holds(Target { name, run }: Target) {
    let kept = corpus(name);
    assert!(!kept.is_empty(), "a target has seeds: put some into fuzz/corpus/{name}");
    kept.iter().for_each(|input| run(input));
    let (mut chance, begin) = (Chance::new(1), Instant::now());
    for _ in 0..MADE_UP_MAX {
        if begin.elapsed() > SPAN {
            return;
        }
        run(&made_up(&mut chance, &kept));
    }
}

#[test]
fn every_target_holds_for_what_is_kept_and_for_what_is_near_it() {
    TARGETS.into_iter().for_each(holds);
}

#[test]
fn the_corpus_is_small_and_each_of_its_folders_has_a_target() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap();
    let mut bytes = 0;
    for folder in folders {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(target(&name).is_some(), "fuzz/corpus/{name} has no row in TARGETS");
        bytes += corpus(&name).iter().map(|input| input.len() as u64).sum::<u64>();
    }
    assert!(bytes <= CORPUS_BYTES_MAX, "{bytes} bytes: minimise with fuzz/run TARGET --minimise");
}
