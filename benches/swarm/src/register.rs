//! The tracker's register with very many in it: registrations a second, bytes a peer, and what one list costs.
//!
//! Each part runs in a process of its own, because what an allocator keeps of one would be counted for the next.

use std::env;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use minibit::chance::Chance;
use minibit::ids::{LinkId, PeerId, ShareId};
use minibit::node::{Node, NodeConfig};
use minibit::seam::{Event, Payload};
use minibit::time::Moment;
use minibit::tracker::Register;
use minibit::wire::{Message, Role};

use crate::cli::RegisterOptions;
use crate::measure;

/// Peers of each of the many shares.
const PEERS_PER_SHARE: u32 = 10;
/// Lists whose cost is measured.
const LISTS: u32 = 2_000;
/// Time that passes while nobody says anything.
const QUIET: Duration = Duration::from_secs(4);

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The register alone, all peers in one share.
    OneShare,
    /// A whole open tracker's core, ten peers in each share.
    ManyShares,
}

/// Each part in a process of its own.
pub fn command(options: &RegisterOptions) -> Result<()> {
    match options.part {
        Some(Part::OneShare) => Ok(one_share(options.peers)),
        Some(Part::ManyShares) => Ok(many_shares(options.shares)),
        None => [Part::OneShare, Part::ManyShares].into_iter().try_for_each(|part| {
            let name = part.to_possible_value().context("a part has a name")?;
            let mut command = Command::new(env::current_exe()?);
            command.args(["register", "--part", name.get_name()]);
            command.args(["--peers", &options.peers.to_string(), "--shares", &options.shares.to_string()]);
            ensure!(command.status()?.success(), "a measurement failed: see above");
            Ok(())
        }),
    }
}

fn one_share(peers: u32) {
    let before = measure::memory(std::process::id()).resident_kib;
    let mut register = Register::new(Vec::new(), Moment::START, Chance::new(1));
    let start = Instant::now();
    let mut small = None;
    for number in 0..peers {
        if number == peers / 100 {
            small = Some(cost_of_a_list(&mut register, number));
        }
        register.join(Moment::START, LinkId(u64::from(number)), peer(number), host(number), 6881);
    }
    let spent = start.elapsed();
    let after = measure::memory(std::process::id()).resident_kib;
    println!("one share, the register alone:");
    tell(peers, spent, after.saturating_sub(before));
    let large = cost_of_a_list(&mut register, peers);
    let small =
        small.map_or(String::new(), |small| format!(" ({:.1} µs with {} peers)", micros(small), peers / 100));
    println!("  one registration with its list and news: {:.1} µs with {peers} peers{small}", micros(large));
}

/// What one more registration of a peer that is there already costs: its list is all that is made.
fn cost_of_a_list(register: &mut Register, peers: u32) -> Duration {
    let start = Instant::now();
    for step in 0..LISTS {
        let number = step % peers.max(1);
        register.join(Moment::START, LinkId(u64::from(number)), peer(number), host(number), 6881);
    }
    start.elapsed() / LISTS
}

fn many_shares(shares: u32) {
    let mut node = Node::new(NodeConfig {
        id: peer(u32::MAX),
        port: 7070,
        agent: "bench".to_owned(),
        role: Role::Tracker,
        open: true,
        advertised: Vec::new(),
        limit_up: None,
        limit_down: None,
        seed: 1,
    });
    let before = measure::memory(std::process::id()).resident_kib;
    let peers = shares * PEERS_PER_SHARE;
    let (start, mut now, mut out) = (Instant::now(), Moment::START, Vec::new());
    for number in 0..peers {
        now = now.after(Duration::from_micros(10));
        let link = LinkId(u64::from(number));
        let remote = SocketAddr::new(host(number), 40_000);
        node.handle(now, Event::Connected { link, remote, dialled: None }, &mut out);
        out.clear();
        let message = registration(number, number % shares);
        node.handle(now, Event::Received { link, message, payload: Payload::None }, &mut out);
        out.clear();
        let _ = node.deadline();
    }
    let spent = start.elapsed();
    let after = measure::memory(std::process::id()).resident_kib;
    println!("{shares} shares of {PEERS_PER_SHARE}, a whole tracker's core without its sockets:");
    tell(peers, spent, after.saturating_sub(before));
    let (events, spent) = quiet(&mut node, now);
    let part = spent.as_secs_f64() / QUIET.as_secs_f64();
    println!(
        "  {} s in which nobody says anything: {events} deadlines, {:.1} % of a core",
        QUIET.as_secs(),
        100.0 * part
    );
}

/// Deadline by deadline, as a shell that is never late; less than it takes for the first heartbeat to be missed.
fn quiet(node: &mut Node, from: Moment) -> (u32, Duration) {
    let (start, mut events, mut out) = (Instant::now(), 0, Vec::new());
    let mut now = from;
    while let Some(deadline) = node.deadline().filter(|deadline| *deadline <= from.after(QUIET)) {
        now = now.max(deadline);
        node.handle(now, Event::DeadlineReached, &mut out);
        out.clear();
        events += 1;
    }
    (events, start.elapsed())
}

fn tell(peers: u32, spent: Duration, kib: u64) {
    let bytes = kib * 1024 / u64::from(peers);
    println!("  {:.0} registrations a second, {bytes} bytes a peer", f64::from(peers) / spent.as_secs_f64());
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

fn registration(number: u32, share: u32) -> Message {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&share.to_be_bytes());
    Message::Register {
        id: peer(number),
        share: ShareId(id),
        port: 6881,
        agent: "bench".to_owned(),
        role: Role::Peer,
        goal: None,
    }
}

fn peer(number: u32) -> PeerId {
    let mut id = [0; 20];
    id[..4].copy_from_slice(&number.to_be_bytes());
    PeerId(id)
}

fn host(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0b00_0000 + number).into()
}
