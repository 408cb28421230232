//! One process of a run: started at its seat, watched, and ended when its guard is dropped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::lab::{Lab, Seat};
use crate::measure::{self, Memory};
use crate::programs::search_path;

/// How long a process may take to end when it is asked to.
const FAREWELL: Duration = Duration::from_secs(4);
/// Characters of its last words that are shown.
const LAST_WORDS: usize = 400;
/// Where programs keep things between runs: nothing of one run shall help the next.
const FOLDERS: [&str; 4] = ["XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"];

/// What shows that a process is ready, or done.
#[derive(Clone, Debug)]
pub enum Sign {
    /// This file is there.
    File(PathBuf),
    /// It has printed this.
    Printed(&'static str),
    /// It answers on its control port, at this path, with all these words.
    Answers(&'static str, &'static [&'static str]),
}

/// How a process is started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program and its words.
    pub words: Vec<OsString>,
    /// Added to the environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// What to wait for: of a seed that it is ready, of a peer that it has everything.
    pub sign: Sign,
}

/// A process. It and its family are ended when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    seat: Seat,
    sign: Sign,
    output: PathBuf,
    peak: Memory,
}

impl Process {
    /// Starts it; what it prints goes to a file in `place`, which is its home too.
    pub fn start(lab: &Lab, seat: Seat, plan: &Plan, place: &Path) -> Result<Process> {
        let output = place.join("output");
        let file = File::create(&output)?;
        let (program, words) = plan.words.split_first().context("nothing to start")?;
        let mut command = lab.command(seat.number, program);
        command.args(words).current_dir(place).env("HOME", place).env("PATH", search_path());
        command.envs(FOLDERS.map(|name| (name, place)));
        command.envs(plan.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Process { child, seat, sign: plan.sign.clone(), output, peak: Memory::default() })
    }

    /// Whether its sign is there.
    pub fn has_shown_sign(&self, lab: &Lab) -> bool {
        match &self.sign {
            Sign::File(path) => path.exists(),
            Sign::Printed(text) => {
                fs::read(&self.output).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
            }
            Sign::Answers(path, words) => {
                let address = SocketAddr::from(([127, 0, 0, 1], self.seat.control_port));
                let answer = lab.inside(self.seat.number, || ask(address, path)).unwrap_or_default();
                words.iter().all(|word| answer.contains(word))
            }
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        measure::has_ended(self.child.id())
    }

    /// Its number on this machine.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Looks at its memory, and keeps the most.
    pub fn look(&mut self) -> Memory {
        let now = measure::memory(self.pid());
        self.peak.peak_kib = self.peak.peak_kib.max(now.peak_kib);
        self.peak.anonymous_kib = self.peak.anonymous_kib.max(now.anonymous_kib);
        now
    }

    /// The most that was seen.
    pub fn peak(&self) -> Memory {
        self.peak
    }

    /// The end of what it printed.
    pub fn last_words(&self) -> String {
        let text = fs::read(&self.output).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let skipped = text.trim().chars().count().saturating_sub(LAST_WORDS);
        text.trim().chars().skip(skipped).collect()
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let asked = Instant::now();
        while !self.has_ended() && asked.elapsed() < FAREWELL {
            sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The answer to a GET, head and all.
fn ask(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
