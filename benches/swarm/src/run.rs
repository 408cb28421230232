//! One run of one contender: from the first peer's start to the last one's completion, then every byte is looked at.

use std::fs;
use std::path::Path;
use std::thread::{self, available_parallelism, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::contender::{Contender, Stage};
use crate::job::Job;
use crate::lab::{Kind, Lab, Seat};
use crate::measure;
use crate::payload::Payload;
use crate::process::Process;
use crate::programs::Programs;
use crate::report::Figures;
use crate::stop;
use crate::torrent;
use crate::tracker::Tracker;

/// How often is looked whether somebody is done.
const GLANCE: Duration = Duration::from_millis(10);
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// What a seed is left in peace before the clock starts, and before its idle memory is looked at.
const SETTLE: Duration = Duration::from_millis(500);
const SETTLE_IDLE: Duration = Duration::from_secs(2);

/// What all runs of a job have in common.
#[derive(Debug)]
pub struct Setting<'a> {
    /// What is to be done.
    pub job: &'a Job,
    /// Where.
    pub lab: Kind,
    /// What is shared.
    pub payload: &'a Payload,
    /// minibit's own programs.
    pub programs: &'a Programs,
    /// Scratch space for all runs.
    pub home: &'a Path,
    /// How long a run may take.
    pub timeout: Duration,
}

/// Does it once. Errors: it failed, or somebody has wrong bytes; then there are no figures.
pub fn run(setting: &Setting<'_>, contender: &dyn Contender) -> Result<Figures> {
    let place = tempfile::Builder::new().prefix("run-").tempdir_in(setting.home)?;
    let count = usize::from(setting.job.peers) + 1;
    let lab = Lab::open(setting.lab, count, setting.job.shape)?;
    let seats = (0..count).map(|number| lab.seat(number)).collect::<Result<Vec<Seat>>>()?;
    let torrent = place.path().join("share.torrent");
    let stage = Stage {
        lab: setting.lab,
        payload: setting.payload,
        programs: setting.programs,
        seats: &seats,
        home: setting.home,
        place: place.path(),
        torrent: &torrent,
    };
    let tracker = contender.torrent().map(|_| Tracker::start(&lab, seats[0])).transpose()?;
    if let (Some(version), Some(tracker)) = (contender.torrent(), &tracker) {
        let piece_bytes = setting.job.piece_bytes;
        torrent::make(setting.payload, version, piece_bytes, &tracker.url, setting.home, &torrent)?;
    }
    let mut run = Run { setting, contender, stage, lab, tracker, deadline: Instant::now() + setting.timeout };
    let seed = run.seed()?;
    if setting.job.peers == 0 { Ok(run.idle(seed)) } else { run.race(seed) }
}

struct Run<'a> {
    setting: &'a Setting<'a>,
    contender: &'a dyn Contender,
    stage: Stage<'a>,
    lab: Lab,
    tracker: Option<Tracker>,
    deadline: Instant,
}

/// A peer, and when it was done.
struct Peer {
    process: Process,
    done: Option<Duration>,
}

impl Run<'_> {
    fn start(&self, number: usize) -> Result<Process> {
        fs::create_dir_all(self.stage.folder(number))?;
        fs::create_dir_all(self.stage.data(number))?;
        let plan = self.contender.plan(&self.stage, number)?;
        Process::start(&self.lab, self.stage.seats[number], &plan, &self.stage.folder(number))
    }

    /// Starts the seed and waits until it is ready.
    fn seed(&mut self) -> Result<Process> {
        let seed = self.start(0)?;
        let heard = |tracker: &Option<Tracker>| tracker.as_ref().is_none_or(Tracker::knows_a_seed);
        while !(seed.has_shown_sign(&self.lab)
            && (!self.contender.waits_for_tracker() || heard(&self.tracker)))
        {
            if seed.has_ended() {
                bail!("the seed ended: {}", seed.last_words());
            }
            self.pause(GLANCE).with_context(|| format!("the seed is not ready: {}", seed.last_words()))?;
        }
        rustix::fs::sync(); // nobody pays for what others wrote, be it the payload
        sleep(SETTLE);
        self.deadline = Instant::now() + self.setting.timeout;
        Ok(seed)
    }

    /// What a seed needs that nobody asks for anything.
    fn idle(&self, mut seed: Process) -> Figures {
        sleep(SETTLE_IDLE);
        let memory = seed.look();
        Figures {
            bytes: self.setting.payload.bytes,
            seed_peak_kib: memory.peak_kib,
            idle_kib: Some(memory.resident_kib),
            idle_anonymous_kib: Some(memory.anonymous_kib),
            ..Figures::default()
        }
    }

    fn race(&self, mut seed: Process) -> Result<Figures> {
        let (seed_cpu, machine) = (measure::cpu_seconds(seed.pid()), measure::machine_seconds());
        let sent = measure::sent_bytes(seed.pid());
        let start = Instant::now();
        let mut peers = Vec::new();
        for number in 1..self.stage.seats.len() {
            peers.push(Peer { process: self.start(number)?, done: None });
        }
        self.watch(start, &mut seed, &mut peers)?;
        let machine = measure::machine_seconds() - machine;
        let sent = measure::sent_bytes(seed.pid()) - sent;
        let seed_cpu = measure::cpu_seconds(seed.pid()) - seed_cpu;
        let peer_cpu: f64 = peers.iter().map(|peer| measure::cpu_seconds(peer.process.pid())).sum();
        self.look(&mut seed, &mut peers);
        self.verify(&peers)?;
        let peak = |value: fn(&Process) -> u64| peers.iter().map(|peer| value(&peer.process)).max();
        let wall = peers.iter().filter_map(|peer| peer.done).max().unwrap_or_default().as_secs_f64();
        let cores = f64::from(u32::try_from(available_parallelism()?.get())?);
        let bytes = self.setting.payload.bytes;
        Ok(Figures {
            bytes,
            wall_s: wall,
            first_s: peers.iter().filter_map(|peer| peer.done).min().unwrap_or_default().as_secs_f64(),
            cpu_s: seed_cpu + peer_cpu,
            seed_cpu_s: seed_cpu,
            foreign_part: (machine - seed_cpu - peer_cpu).max(0.0) / (wall * cores),
            seed_peak_kib: seed.peak().peak_kib,
            seed_anonymous_kib: seed.peak().anonymous_kib,
            peer_peak_kib: peak(|peer| peer.peak().peak_kib).unwrap_or(0),
            peer_anonymous_kib: peak(|peer| peer.peak().anonymous_kib).unwrap_or(0),
            sent_bytes: (self.setting.lab == Kind::Ns).then_some(sent),
            delay_ms: self.lab.delay_ms(),
            bound_s: self.setting.job.bound(bytes),
            idle_kib: None,
            idle_anonymous_kib: None,
        })
    }

    /// Until everyone is done.
    fn watch(&self, start: Instant, seed: &mut Process, peers: &mut [Peer]) -> Result<()> {
        let mut looked = start;
        while peers.iter().any(|peer| peer.done.is_none()) {
            for (number, peer) in peers.iter_mut().enumerate().filter(|(_, peer)| peer.done.is_none()) {
                // Before the sign: who ends right after it has still shown it.
                let has_ended = peer.process.has_ended();
                if peer.process.has_shown_sign(&self.lab) {
                    peer.done = Some(start.elapsed());
                } else if has_ended {
                    bail!("peer {} ended: {}", number + 1, peer.process.last_words());
                }
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look(seed, peers);
            }
            let done = peers.iter().filter(|peer| peer.done.is_some()).count();
            self.pause(GLANCE).with_context(|| format!("{done} of {} peers were done", peers.len()))?;
        }
        Ok(())
    }

    fn look(&self, seed: &mut Process, peers: &mut [Peer]) {
        seed.look();
        for peer in peers {
            peer.process.look();
        }
    }

    /// Reads what each peer has, as many at once as there are cores.
    fn verify(&self, peers: &[Peer]) -> Result<()> {
        let workers = available_parallelism().map_or(1, usize::from);
        let check = |first: usize| {
            (first..=peers.len()).step_by(workers).try_for_each(|number| {
                let verdict = self.setting.payload.verify(&self.stage.data(number));
                verdict.with_context(|| format!("not verified: peer {number}"))
            })
        };
        thread::scope(|scope| {
            let checks: Vec<_> = (1..=workers).map(|first| scope.spawn(move || check(first))).collect();
            let mut ends = checks.into_iter().map(|check| check.join());
            ends.try_for_each(|end| end.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Errors: it takes too long, or the person has had enough.
    fn pause(&self, span: Duration) -> Result<()> {
        stop::check()?;
        if Instant::now() > self.deadline {
            bail!("it took more than {} s", self.setting.timeout.as_secs());
        }
        sleep(span);
        Ok(())
    }
}
