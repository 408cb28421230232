//! Where words go: results and JSON to stdout, talk and errors to stderr, bars out of the way of both.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::exit::Failure;
use super::options::TalkOptions;
use super::screen::Screen;

/// The voice of one program.
#[derive(Debug)]
pub struct Talk {
    json: bool,
    quiet: bool,
    verbose: bool,
    unread: AtomicBool,
    untold: AtomicBool,
    stop: CancellationToken,
    /// What is drawn at the bottom.
    pub screen: Screen,
}

impl Talk {
    /// As the person asked for. When nobody reads stdout any more, `stop` is cancelled.
    pub fn new(options: &TalkOptions, stop: CancellationToken) -> Talk {
        let mixed = options.json && io::stdout().is_terminal();
        Talk {
            json: options.json,
            quiet: options.quiet,
            verbose: options.verbose,
            unread: AtomicBool::new(false),
            untold: AtomicBool::new(false),
            stop,
            screen: Screen::new(!options.quiet && !mixed),
        }
    }

    /// Whether stdout carries JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a plain line now and then stands for the bars.
    pub fn is_plain(&self) -> bool {
        !self.quiet && !self.json && !self.screen.is_shown()
    }

    /// Whether stdout was closed by its reader: the program ends quietly.
    pub fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Whether stdout did not take something, its reader being there: a result is lost.
    pub fn is_untold(&self) -> bool {
        self.untold.load(Ordering::Relaxed)
    }

    /// A result for a person, on stdout; not with `--json`.
    pub fn result(&self, text: &str) {
        if !self.json {
            self.print(text);
        }
    }

    /// A result for a program, on stdout; only with `--json`.
    pub fn event(&self, event: &Event) {
        if self.json {
            self.print(&event.to_json());
        }
    }

    /// Talk, unless quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.note(text);
        }
    }

    /// Talk for those who asked for more.
    pub fn detail(&self, text: &str) {
        if self.verbose && !self.quiet {
            self.note(text);
        }
    }

    /// Something the person should know. Said first: whoever reads the event finds it in the talk.
    pub fn warn(&self, text: &str) {
        self.say(&format!("warning: {text}"));
        self.event(&Event::Warning { message: text.to_owned() });
    }

    /// Why the program ends.
    pub fn error(&self, failure: &Failure) {
        self.note(&format!("error: {}", failure.message));
        if let Some(hint) = &failure.hint {
            self.note(&format!("hint: {hint}"));
        }
        self.event(&Event::Error { code: failure.word, message: failure.message.clone() });
    }

    fn print(&self, text: &str) {
        if self.is_unread() || self.is_untold() {
            return; // behind half a line nothing would make sense
        }
        let write = || {
            let mut out = io::stdout().lock();
            writeln!(out, "{text}").and_then(|()| out.flush())
        };
        match self.screen.aside(write) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.unread.store(true, Ordering::Relaxed);
                self.stop.cancel();
            }
            // A full disk below a log is no reason to end a download.
            Err(error) => {
                self.untold.store(true, Ordering::Relaxed);
                self.note(&format!("warning: cannot write to stdout, where nothing more is told: {error}"));
            }
        }
    }

    /// A stderr that is gone is no reason to stop.
    fn note(&self, text: &str) {
        self.screen.aside(|| writeln!(io::stderr().lock(), "{text}").unwrap_or(()));
    }
}
