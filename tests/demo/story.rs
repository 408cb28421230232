//! What happens: a seed, some peers that join it, and everyone stays until all have everything.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::bars::Bars;
use super::build::Programs;
use super::content::Content;
use super::program::Program;

/// How often the bars are looked after.
const GLANCE: Duration = Duration::from_millis(20);
/// Nothing moved anywhere for this long: something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a peer ended with.
pub struct Received {
    /// Where its copy is.
    pub path: PathBuf,
    /// Bytes from who held everything.
    pub from_seed_bytes: u64,
    /// Bytes from the other peers.
    pub from_peer_bytes: u64,
}

struct Peer {
    program: Program,
    received: Option<Received>,
}

/// From the seed's start to the last peer's end.
pub fn tell(
    programs: &Programs,
    content: &Content,
    peers: u8,
    place: &Path,
    stop: &AtomicBool,
) -> Result<Vec<Received>> {
    let (_seed, share) = start_seed(&programs.tracker, content, place)?;
    eprintln!("\n{} peers join with\n  minibit-peer join '{}'\n", peers, text(&share, "link"));
    let mut swarm = Vec::new();
    for number in 1..=peers {
        let program = start_peer(&programs.peer, &share, place, number)?;
        swarm.push(Peer { program, received: None });
    }
    let bars = Bars::new(usize::from(peers), share["bytes"].as_u64().unwrap_or(0));
    watch(&mut swarm, &bars, stop)?;
    Ok(swarm.into_iter().filter_map(|peer| peer.received).collect())
}

fn start_seed(tracker: &Path, content: &Content, place: &Path) -> Result<(Program, Value)> {
    let mut command = program(tracker);
    command.arg("seed").arg(&content.path).args(["--listen", "127.0.0.1:0", "--json"]);
    command.env("XDG_STATE_HOME", place);
    if let Some(rate) = content.seed_limit {
        command.args(["--limit-up", rate]);
    }
    let seed = Program::start(&mut command, &place.join("seed.log"))?;
    loop {
        match seed.event(PATIENCE) {
            Ok(event) if event["event"] == "share" => return Ok((seed, event)),
            Ok(_) => {}
            Err(_) => bail!("the seed does not start: {}", seed.talk().trim()),
        }
    }
}

fn start_peer(peer: &Path, share: &Value, place: &Path, number: u8) -> Result<Program> {
    let mut command = program(peer);
    command.args(["join", text(share, "link"), "--listen", "127.0.0.1:0", "--json", "-o"]);
    command.arg(place.join(format!("peer-{number}")));
    Ok(Program::start(&mut command, &place.join(format!("peer-{number}.log")))?)
}

/// Out of the terminal's reach: Ctrl-C is for us, and our guards end the others.
fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.process_group(0);
    command
}

/// Until each peer has everything. Errors: one of them ended, all of them stand still, or the person has enough.
fn watch(swarm: &mut [Peer], bars: &Bars, stop: &AtomicBool) -> Result<()> {
    let mut moved = Instant::now();
    while swarm.iter().any(|peer| peer.received.is_none()) {
        if stop.load(Ordering::Relaxed) {
            bail!("stopped");
        }
        if moved.elapsed() > PATIENCE {
            bail!("nothing has moved for {} s", PATIENCE.as_secs());
        }
        for (number, peer) in swarm.iter_mut().enumerate() {
            if look_after(number, peer, bars)? {
                moved = Instant::now();
            }
        }
    }
    bars.finish();
    Ok(())
}

/// Takes one event of this peer, if there is one within a glance. True if it got further.
fn look_after(number: usize, peer: &mut Peer, bars: &Bars) -> Result<bool> {
    let event = match peer.program.event(GLANCE) {
        Ok(event) => event,
        Err(RecvTimeoutError::Timeout) => return Ok(false),
        Err(RecvTimeoutError::Disconnected) => {
            bail!("peer {} ended: {}", number + 1, peer.program.talk().trim())
        }
    };
    match event["event"].as_str() {
        Some("progress") => return Ok(bars.progress(number, &event)),
        Some("complete") => {
            peer.received = Some(received(&event));
            bars.complete(number, &event);
            return Ok(true);
        }
        Some("error") => bail!("peer {}: {}", number + 1, text(&event, "message")),
        _ => {}
    }
    Ok(false)
}

fn received(complete: &Value) -> Received {
    Received {
        path: text(complete, "path").into(),
        from_seed_bytes: complete["from_seed_bytes"].as_u64().unwrap_or(0),
        from_peer_bytes: complete["from_peer_bytes"].as_u64().unwrap_or(0),
    }
}

/// A field that is text; empty if it is not there.
fn text<'a>(event: &'a Value, key: &str) -> &'a str {
    event[key].as_str().unwrap_or_default()
}
