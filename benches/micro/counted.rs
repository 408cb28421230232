//! What single calls cost in instructions, counted by valgrind: the same on a busy machine as on a quiet one.

#![allow(missing_docs, reason = "the harness's macros make public items")]

use std::env;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use gungraun::prelude::*;
use minibit::content::merkle;
use minibit::ids::Digest;
use minibit::wire::{Message, WireError, decode};
use minibit_micro::{Market, block, digests, line, request, stock};

/// What a picker is measured with: valgrind is slow, and a crowd's stock takes long to count.
const PIECES: u32 = 10_000;
const PEERS: u64 = 20;

#[library_benchmark]
#[bench::request(line(&request()))]
#[bench::block(line(&block()))]
#[bench::stock(line(&stock()))]
fn decoding(line: Vec<u8>) -> Result<Option<Message>, WireError> {
    decode(black_box(&line))
}

#[library_benchmark]
#[bench::of_64(digests(64))]
#[bench::of_4096(digests(4096))]
fn root(leaves: Vec<Digest>) -> Digest {
    merkle::root(black_box(&leaves), leaves.len())
}

#[library_benchmark]
#[bench::of_10000_pieces(Market::new(PIECES, PEERS))]
fn picking(mut market: Market) -> Market {
    black_box(market.pick(1));
    market
}

library_benchmark_group!(name = all, benchmarks = [decoding, root, picking]);

/// The harness, in a room of its own because its `main` is not the first thing to happen.
mod harness {
    use super::all;

    gungraun::main!(library_benchmark_groups = all);

    pub fn run() {
        main();
    }
}

fn main() {
    let is_within = env::args().any(|word| word.starts_with("--gungraun-run"));
    if !is_within && let Some(missing) = missing() {
        eprintln!("no instructions were counted: {missing}");
        return;
    }
    harness::run();
}

/// What is not here, and how it is got.
fn missing() -> Option<String> {
    let runner = env::var_os("GUNGRAUN_RUNNER").unwrap_or_else(|| "gungraun-runner".into());
    if !starts("valgrind".as_ref(), &["--version"]) {
        return Some("valgrind is not installed".to_owned());
    }
    let got = "cargo install gungraun-runner --version 0.20.0";
    (!starts(runner.as_ref(), &["--version"])).then(|| format!("gungraun-runner is not in PATH: {got}"))
}

/// Whether there is such a program at all, whatever it says to these words.
fn starts(program: &Path, words: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}
