//! How exact and how smooth the rate limits are: one seed, one peer, and between them a relay that counts what passes.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use minibit::console::human;

use crate::cli::LimitsOptions;
use crate::contender::words;
use crate::job::Content;
use crate::lab::{Kind, Lab};
use crate::payload::Payload;
use crate::process::{Plan, Process, Sign};
use crate::programs::Programs;

/// Seconds that are measured, and those before that are not: a connection begins faster or slower than its limit.
const MEASURED_SECONDS: u64 = 10;
const EARLY_SECONDS: u64 = 2;
/// The content lasts a little longer at the limit than is measured.
const CONTENT_SECONDS: u64 = EARLY_SECONDS + MEASURED_SECONDS + 2;
/// How long a program may take.
const PATIENCE: Duration = Duration::from_secs(3 * CONTENT_SECONDS);
/// Bytes that the relay takes at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Bytes that passed on the way to the peer, and when.
type Passed = (Instant, usize);

/// Who has the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Seed,
    Peer,
}

/// Measures each rate at each side, and prints Markdown.
pub fn command(options: &LimitsOptions) -> Result<()> {
    let programs = Programs::find(options.programs.as_deref())?;
    println!("| limit | whose | over {MEASURED_SECONDS} s | slowest and fastest second |\n|---|---|---|---|");
    for rate in &options.rates {
        for (side, whose) in
            [(Side::Seed, "the seed's `--limit-up`"), (Side::Peer, "the peer's `--limit-down`")]
        {
            let seconds = measure(&programs, *rate, side)?;
            let percent = |bytes: u64| bytes as f64 / *rate as f64 * 100.0;
            let ends = seconds.iter().min().zip(seconds.iter().max()).context("nothing was measured")?;
            println!(
                "| {} | {whose} | {:.1} % | {:.0} and {:.0} % |",
                human::rate(*rate),
                percent(seconds.iter().sum::<u64>() / MEASURED_SECONDS),
                percent(*ends.0),
                percent(*ends.1)
            );
        }
    }
    Ok(())
}

/// Bytes of each measured second. Errors: the download did not end, or not with the right bytes.
fn measure(programs: &Programs, rate: u64, side: Side) -> Result<Vec<u64>> {
    let place = tempfile::tempdir().context("no scratch space")?;
    let payload = Payload::make(
        Content::File(rate.saturating_mul(CONTENT_SECONDS)),
        1,
        &folder(place.path(), "content")?,
    )?;
    let (torrent, data) = (place.path().join("share.torrent"), folder(place.path(), "data")?);
    let lab = Lab::open(Kind::Lo, 2, None)?;
    let (seat, limit) = (lab.seat(0)?, rate.to_string());
    // It names no address, so that the peer knows only the relay.
    let mut creating = Command::new(&programs.peer);
    creating.args(words([&"create", &payload.path(), &"-o", &torrent, &"-q"])).stdout(Stdio::null());
    creating.env("HOME", place.path()).env("XDG_STATE_HOME", place.path());
    ensure!(creating.status()?.success(), "the torrent file could not be made: see above");

    let listen = format!("{}:{}", seat.ip, seat.port);
    let mut seeding = words([&programs.tracker, &"seed", &payload.path(), &"--listen", &listen, &"--json"]);
    if side == Side::Seed {
        seeding.extend(words([&"--limit-up", &limit]));
    }
    let home = folder(place.path(), "seed")?;
    let seed = Process::start(&lab, seat, &plan(seeding, "\"event\":\"share\""), &home)?;
    wait(&lab, &seed)?;

    let (relayed_at, relaying) = relay((seat.ip, seat.port).into())?;
    let mut joining = words([&programs.peer, &"join", &torrent, &"-o", &data, &"--json", &"--peer"]);
    joining.extend(words([&relayed_at.to_string(), &"--listen", &"127.0.0.1:0"]));
    if side == Side::Peer {
        joining.extend(words([&"--limit-down", &limit]));
    }
    let home = folder(place.path(), "peer")?;
    let peer = Process::start(&lab, lab.seat(1)?, &plan(joining, "\"event\":\"complete\""), &home)?;
    wait(&lab, &peer)?;
    payload.verify(&data)?;
    drop((peer, seed)); // which ends the relay
    per_second(&relaying.join().ok().context("the relay failed")??)
}

fn folder(place: &Path, name: &str) -> Result<PathBuf> {
    let path = place.join(name);
    fs::create_dir_all(&path)?;
    Ok(path)
}

fn plan(words: Vec<OsString>, sign: &'static str) -> Plan {
    Plan { words, environment: Vec::new(), sign: Sign::Printed(sign) }
}

fn wait(lab: &Lab, process: &Process) -> Result<()> {
    let start = Instant::now();
    while !process.has_shown_sign(lab) {
        ensure!(!process.has_ended(), "a program ended: {}", process.last_words());
        ensure!(start.elapsed() < PATIENCE, "a program was not done in time: {}", process.last_words());
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Passes one connection on to `seed`, and ends with it.
fn relay(seed: SocketAddr) -> Result<(SocketAddr, JoinHandle<Result<Vec<Passed>>>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let relaying = thread::spawn(move || {
        let (peer, _) = listener.accept()?;
        let seed = TcpStream::connect(seed)?;
        let (mut from_peer, mut to_seed) = (peer.try_clone()?, seed.try_clone()?);
        thread::spawn(move || std::io::copy(&mut from_peer, &mut to_seed));
        pass(seed, peer)
    });
    Ok((address, relaying))
}

/// Until either end is gone.
fn pass(mut from: TcpStream, mut to: TcpStream) -> Result<Vec<Passed>> {
    to.set_nodelay(true)?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut passed = Vec::new();
    loop {
        let count = from.read(&mut chunk).unwrap_or(0);
        if count == 0 || to.write_all(&chunk[..count]).is_err() {
            return Ok(passed);
        }
        passed.push((Instant::now(), count));
    }
}

/// The bytes of each measured second.
fn per_second(passed: &[Passed]) -> Result<Vec<u64>> {
    let (first, _) = *passed.first().context("nothing passed")?;
    let begin = first + Duration::from_secs(EARLY_SECONDS);
    let mut seconds = vec![0; usize::try_from(MEASURED_SECONDS)?];
    for (when, bytes) in passed {
        let second = when.checked_duration_since(begin).map(|after| after.as_secs());
        let place = second.and_then(|second| seconds.get_mut(usize::try_from(second).ok()?));
        place.into_iter().for_each(|sum| *sum += *bytes as u64);
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_counted_by_the_second_once_the_beginning_is_over() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let passed =
            [(at(0), 1), (at(1_999), 2), (at(2_000), 4), (at(2_999), 8), (at(11_999), 16), (at(12_000), 32)];
        let mut expected = vec![0; 10];
        (expected[0], expected[9]) = (12, 16);
        assert_eq!(per_second(&passed).unwrap(), expected);
        assert!(per_second(&[]).is_err());
    }
}
