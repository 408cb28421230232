//! One of our programs as a child process: what it says with `--json`, and that it does not outlive its guard.
//!
//! Shared by the demo and the multi-process tests; knows nothing of shares.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Events read ahead of whoever looks at them; beyond that the program waits.
const EVENTS_MAX: usize = 4096;

/// A running program. Killed when dropped.
pub struct Program {
    /// The process.
    pub child: Child,
    events: Receiver<Value>,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; its standard output is read as events, its standard error goes to the file `log`.
    pub fn start(command: &mut Command, log: &Path) -> io::Result<Program> {
        let talk = File::create(log)?;
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(talk).spawn()?;
        let stdout = child.stdout.take().expect("it was piped a line above");
        let (sender, events) = sync_channel(EVENTS_MAX);
        thread::spawn(move || read_events(stdout, &sender));
        Ok(Program { child, events, log: log.to_owned() })
    }

    /// The next event. Errors: nothing within `patience`, or the program has closed its output for good.
    pub fn event(&self, patience: Duration) -> Result<Value, RecvTimeoutError> {
        self.events.recv_timeout(patience)
    }

    /// What it has said on standard error so far.
    pub fn talk(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

/// A line that is no JSON becomes an event of its own, so that nobody overlooks it.
fn read_events(stdout: impl Read, sender: &SyncSender<Value>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let event =
            serde_json::from_str(&line).unwrap_or_else(|_| json!({"event": "not json", "line": line}));
        if sender.send(event).is_err() {
            return;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
