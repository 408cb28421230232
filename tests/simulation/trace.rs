//! The story of a run: a digest of every event and action, and, when asked for, its lines on stderr.

use std::fmt::{self, Debug, Write};

use minibit::seam::{Action, Event};

use crate::queue::Micros;

/// FNV-1a over the text of everything that happened.
#[derive(Debug)]
pub struct Trace {
    digest: u64,
    is_kept: bool,
    is_loud: bool,
}

impl Write for Trace {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

impl Trace {
    /// Loud when `MINIBIT_SIM_TRACE` is set; kept when asked for.
    pub fn new() -> Trace {
        let is_loud = std::env::var_os("MINIBIT_SIM_TRACE").is_some();
        Trace { digest: 0xcbf2_9ce4_8422_2325, is_kept: false, is_loud }
    }

    /// From now on every line counts.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// What a core is told.
    pub fn event(&mut self, now: Micros, machine: usize, event: &Event) {
        match event {
            // The text of a set shows where it lies in memory: no two runs agree on that.
            Event::Prepared { share, held, wanted, .. } => {
                self.note(now, machine, '<', &("Prepared", share, held.runs(), wanted.runs()));
            }
            event => self.note(now, machine, '<', event),
        }
    }

    /// What a core does.
    pub fn action(&mut self, now: Micros, machine: usize, action: &Action) {
        match action {
            Action::Prepare { share, .. } => self.note(now, machine, '>', &("Prepare", share)),
            Action::SendMetainfo { link, start, length, .. } => {
                self.note(now, machine, '>', &("SendMetainfo", link, start, length));
            }
            action => self.note(now, machine, '>', action),
        }
    }

    /// One line; `sign` is `<` for an event, `>` for an action.
    pub fn note(&mut self, now: Micros, machine: usize, sign: char, what: &dyn Debug) {
        if self.is_kept {
            writeln!(self, "{now} {machine} {sign} {what:?}").expect("a digest takes everything");
        }
        if self.is_loud {
            let text: String = format!("{what:?}").chars().take(220).collect();
            let (seconds, micros) = (now / 1_000_000, now % 1_000_000);
            eprintln!("{seconds:>5}.{micros:06} m{machine:<2} {sign} {text}");
        }
    }

    /// Of all lines so far.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}
