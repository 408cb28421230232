//! The story of a run: a digest of every event and action, and, when asked for, its lines on stderr.
//! The short digest takes of each event and action its kind and moment, and of each message its bytes; the long one all.

use std::fmt::{self, Debug, Write};
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use minibit::seam::{Action, Event, Payload};

use crate::queue::Micros;

/// FNV-1a over the text of everything that happened.
#[derive(Debug)]
pub struct Trace {
    digest: u64,
    short: u64,
    is_kept: bool,
    is_loud: bool,
}

/// The number of a kind, as its hash would be fed with it.
struct Number(u64);

impl Hasher for Number {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |number, byte| number << 8 | u64::from(*byte));
    }
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
        Trace { digest: 0xcbf2_9ce4_8422_2325, short: 0, is_kept: false, is_loud }
    }

    /// From now on every line counts for the long one.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    fn word(&mut self, word: u64) {
        self.short = (self.short ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn kind<T>(&mut self, now: Micros, machine: usize, what: &T) {
        let mut number = Number(0);
        discriminant(what).hash(&mut number);
        self.word(number.0 ^ now.rotate_left(20) ^ machine as u64);
    }

    /// A message on its way.
    pub fn message(&mut self, line: &[u8], payload: &Payload) {
        for bytes in line.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            self.word(u64::from_le_bytes(word));
        }
        if let Payload::Digests(leaves) = payload {
            leaves.iter().for_each(|leaf| self.word(u64::from(leaf.0[0]) << 8 | u64::from(leaf.0[31])));
        }
    }

    /// Of all so far, in short.
    pub fn short(&self) -> u64 {
        self.short
    }

    /// What a core is told.
    pub fn event(&mut self, now: Micros, machine: usize, event: &Event) {
        self.kind(now, machine, event);
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
        self.kind(now, machine, action);
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
