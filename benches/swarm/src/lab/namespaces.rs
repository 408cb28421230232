//! Network namespaces: one for each process, and one with a bridge that joins them, so that the machine's own interfaces
//! are left alone. Needs root and iproute2.

use std::fs::File;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use rustix::fd::AsFd;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::job::Shape;

/// Every namespace of ours is called so, then the process, then its number.
const PREFIX: &str = "minibit-bench";
/// What may leave at once when a line was idle, and how long a packet may wait for a narrow line.
const BURST_BYTES: u32 = 32 * 1024;
const QUEUE_MS: u32 = 100;
/// Packets that may be on their way in a delayed line: more than any line here holds.
const DELAYED_PACKETS: u32 = 10_000;

/// The namespaces. Deleted when dropped.
#[derive(Debug)]
pub struct Namespaces {
    seats: usize,
    /// The delay that the lines have: none where the kernel cannot.
    pub delay_ms: u32,
}

/// The address of process `number`.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(number + 1).unwrap_or(u8::MAX))
}

impl Namespaces {
    /// Makes them, and says so where the kernel has no delay to give.
    pub fn make(seats: usize, shape: Option<Shape>) -> Result<Namespaces> {
        sweep();
        let mut made = Namespaces { seats, delay_ms: 0 };
        let bridge = made.bridge();
        ip(&format!("netns add {bridge}"))?;
        let wanted_ms = shape.map_or(0, |shape| shape.delay_ms);
        if wanted_ms > 0 && has_netem(&bridge) {
            made.delay_ms = wanted_ms;
        }
        ip(&format!("-n {bridge} link add br0 type bridge"))?;
        ip(&format!("-n {bridge} link set br0 up"))?;
        for number in 0..seats {
            made.wire(number).with_context(|| format!("no network namespace for process {number}"))?;
            shape.map_or(Ok(()), |shape| made.narrow(number, shape))?;
        }
        Ok(made)
    }

    /// A namespace for one process, and its line to the bridge.
    fn wire(&self, number: usize) -> Result<()> {
        let (bridge, own, address) = (self.bridge(), self.name(number), address(number));
        ip(&format!("netns add {own}"))?;
        ip(&format!("-n {bridge} link add p{number} type veth peer name eth0 netns {own}"))?;
        ip(&format!("-n {bridge} link set p{number} master br0 up"))?;
        ip(&format!("-n {own} addr add {address}/24 dev eth0"))?;
        ip(&format!("-n {own} link set eth0 up"))?;
        ip(&format!("-n {own} link set lo up"))
    }

    /// Up is what leaves the process's end, down what leaves the bridge's.
    fn narrow(&self, number: usize, shape: Shape) -> Result<()> {
        let up = if number == 0 { shape.seed_up } else { shape.peer_up };
        let own = self.name(number);
        let parent = if self.delay_ms > 0 {
            let delay = format!("root handle 1: netem delay {}ms limit {DELAYED_PACKETS}", self.delay_ms);
            tc(&own, &format!("dev eth0 {delay}"))?;
            "parent 1:1"
        } else {
            "root"
        };
        tc(&own, &format!("dev eth0 {parent} {}", rate(up)))?;
        tc(&self.bridge(), &format!("dev p{number} root {}", rate(shape.down)))
    }

    /// The namespace of process `number`.
    pub fn name(&self, number: usize) -> String {
        format!("{PREFIX}-{}-{number}", std::process::id())
    }

    fn bridge(&self) -> String {
        format!("{PREFIX}-{}-bridge", std::process::id())
    }

    /// Does `act` on a thread that has entered the namespace of process `number`.
    pub fn inside<T: Send>(&self, number: usize, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.name(number));
        let space = File::open(&path).with_context(|| format!("{path} cannot be opened"))?;
        thread::scope(|scope| {
            let entered = scope.spawn(move || {
                move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
                act()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let names = (0..self.seats).map(|number| self.name(number)).chain([self.bridge()]);
        for name in names {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn rate(megabits: f64) -> String {
    format!("tbf rate {:.0}kbit burst {BURST_BYTES} latency {QUEUE_MS}ms", megabits * 1000.0)
}

/// Deletes what benches left behind that were killed.
fn sweep() {
    let Ok(names) = run("ip", "netns list") else { return };
    for name in names.lines().filter_map(|line| line.split(' ').next()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        let is_dead = |pid: &str| !std::path::Path::new("/proc").join(pid).exists();
        if owner.is_some_and(is_dead) {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

/// Tried on the loopback of a fresh namespace, where it hurts nobody.
fn has_netem(space: &str) -> bool {
    let has = tc(space, "dev lo root netem delay 1ms").is_ok();
    let _ = run("ip", &format!("netns exec {space} tc qdisc del dev lo root"));
    has
}

fn tc(space: &str, words: &str) -> Result<()> {
    run("ip", &format!("netns exec {space} tc qdisc add {words}")).map(drop)
}

fn ip(words: &str) -> Result<()> {
    run("ip", words).map(drop)
}

fn run(program: &str, words: &str) -> Result<String> {
    let command = Command::new(program).args(words.split(' ')).stdin(Stdio::null()).output();
    let output = command.with_context(|| format!("`{program}` cannot be started"))?;
    if !output.status.success() {
        bail!("`{program} {words}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
