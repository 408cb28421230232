//! The lines at the bottom of a terminal: drawn, cleared, and kept out of the way of what is printed.

mod line;
mod plain;
mod share;
#[cfg(test)]
mod tests;

pub use plain::{check_plain, download_plain, register_plain, seed_plain};
pub use share::{check_line, download_lines, file_line, peer_count, peer_percents, register_line, seed_line};

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a second the terminal is drawn at most.
const DRAWS_PER_SECOND: u8 = 10;
/// What a terminal that does not tell its width is taken for.
const WIDTH_DEFAULT: usize = 80;

/// The bottom lines of the terminal at stderr, if there is one and they are wanted.
#[derive(Debug)]
pub struct Screen {
    shown: bool,
    coloured: bool,
    group: MultiProgress,
    bars: Mutex<Vec<ProgressBar>>,
}

impl Screen {
    /// A screen at stderr; without a terminal there, or when not `wanted`, nothing is ever drawn.
    pub fn new(wanted: bool) -> Screen {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let shown = wanted && std::io::stderr().is_terminal() && !dumb;
        let coloured = shown && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let target = if shown {
            ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND)
        } else {
            ProgressDrawTarget::hidden()
        };
        Screen { shown, coloured, group: MultiProgress::with_draw_target(target), bars: Mutex::default() }
    }

    /// Whether lines are drawn at all.
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// Columns that a line may take without wrapping.
    pub fn width(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
        let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
        columns.unwrap_or(WIDTH_DEFAULT) - 1
    }

    /// Replaces what is drawn.
    pub fn draw(&self, lines: &[String]) {
        if !self.shown {
            return;
        }
        let mut bars = self.bars();
        while bars.len() > lines.len() {
            if let Some(bar) = bars.pop() {
                bar.finish_and_clear();
                self.group.remove(&bar);
            }
        }
        while bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{msg}").expect("the template is a constant");
            bars.push(self.group.add(ProgressBar::new_spinner().with_style(style)));
        }
        for (bar, line) in bars.iter().zip(lines) {
            bar.set_message(if self.coloured { coloured(line) } else { line.clone() });
        }
        self.rewind();
    }

    /// Takes away what is drawn.
    pub fn clear(&self) {
        self.draw(&[]);
    }

    /// Does `print` while nothing is drawn, and draws again.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        let printed = self.group.suspend(print);
        self.rewind();
        printed
    }

    /// Puts the cursor at the beginning of the last line. It was left at the end, where the `^C` that a terminal echoes
    /// would begin another line, and the lines above would no longer be found.
    fn rewind(&self) {
        if self.shown {
            // A stderr that is gone is no reason to stop.
            let _ = write!(std::io::stderr(), "\r");
        }
    }

    fn bars(&self) -> MutexGuard<'_, Vec<ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `line` with the full part of its bar in green.
fn coloured(line: &str) -> String {
    let full = line.find("[=").and_then(|from| {
        let run = line[from + 1..].find(|c| c != '=')?;
        Some((from + 1, from + 1 + run))
    });
    match full {
        Some((from, to)) => format!("{}\x1b[32m{}\x1b[0m{}", &line[..from], &line[from..to], &line[to..]),
        None => line.to_owned(),
    }
}
