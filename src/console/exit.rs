//! How a program ends: the exit codes, and the failures that lead to them.

use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use crate::content::MetainfoError;
use crate::content::link::BadLink;
use crate::net::content::{ScanError, Stopped, StoreError};
use crate::net::driver::RunError;

/// The exit codes of both programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// Stopped with work left.
    Stopped = 3,
    /// Nobody had what is missing for as long as was asked for.
    NoPeer = 4,
    /// Too little space to begin.
    NoSpace = 5,
    /// A file that is there was not touched.
    WouldOverwrite = 6,
    /// The link or metainfo is bad.
    BadShare = 7,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Exit; 8] = [
        Exit::Done,
        Exit::Failed,
        Exit::Usage,
        Exit::Stopped,
        Exit::NoPeer,
        Exit::NoSpace,
        Exit::WouldOverwrite,
        Exit::BadShare,
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it tells a person.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Failed => "failed",
            Exit::Usage => "the command line makes no sense",
            Exit::Stopped => "stopped with work left; the same command goes on from there",
            Exit::NoPeer => "nobody had what is missing for as long as --timeout",
            Exit::NoSpace => "too little space to begin",
            Exit::WouldOverwrite => "refused to overwrite",
            Exit::BadShare => "the link or metainfo is bad",
        }
    }

    /// The end of every `--help`: the examples, then the table of exit codes.
    pub fn help(examples: &str) -> String {
        let table: String =
            Exit::ALL.iter().map(|exit| format!("  {}  {}\n", exit.code(), exit.meaning())).collect();
        format!(
            "Examples:\n{examples}\n\nExit codes:\n{table}\nEach option may also stand in the environment, as MINIBIT_ and its name."
        )
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command came to nothing: one line for a person, one word for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// A stable word.
    pub word: &'static str,
    /// One line.
    pub message: String,
    /// What to do, where the message does not say it.
    pub hint: Option<String>,
}

impl Failure {
    fn new(exit: Exit, word: &'static str, message: impl Into<String>) -> Failure {
        Failure { exit, word, message: message.into(), hint: None }
    }

    /// Something failed that has no code of its own.
    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, "failed", message)
    }

    /// The command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "usage", message)
    }

    /// A file stands where something should be written.
    pub fn would_overwrite(message: impl Into<String>) -> Failure {
        Failure::new(Exit::WouldOverwrite, "would_overwrite", message)
    }

    /// Stopped by a signal with work left.
    pub fn stopped(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Stopped, "stopped", message)
    }

    /// Nobody had what is missing for as long as was asked for.
    pub fn no_peer(message: impl Into<String>) -> Failure {
        Failure::new(Exit::NoPeer, "no_peer", message)
    }

    /// The metainfo file at `path` (escaped) cannot be used.
    pub fn bad_metainfo(path: &str, error: &MetainfoError) -> Failure {
        Failure::new(
            Exit::BadShare,
            "bad_metainfo",
            format!("'{path}' is no metainfo file that can be used: {error}"),
        )
        .hint("fetch the file again, or ask for the link")
    }

    /// The address cannot be bound.
    pub fn bind(error: &std::io::Error) -> Failure {
        match error.kind() {
            ErrorKind::AddrInUse => Failure::new(Exit::Failed, "port_in_use", error.to_string())
                .hint("stop the program that listens there, or choose another port with --listen (0 = any free one)"),
            // It says so itself.
            ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied => Failure::failed(error.to_string()),
            _ => Failure::failed(error.to_string()).hint("choose another address with --listen"),
        }
    }

    /// Adds what to do.
    pub fn hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<BadLink> for Failure {
    fn from(error: BadLink) -> Failure {
        Failure::new(Exit::BadShare, "bad_link", format!("this link cannot be used: {error}"))
    }
}

impl From<Stopped> for Failure {
    fn from(stopped: Stopped) -> Failure {
        Failure::stopped(stopped.to_string())
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Failure {
        match error {
            ScanError::Stopped(stopped) => stopped.into(),
            other => Failure::failed(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let (exit, word) = match &error {
            StoreError::NoSpace { .. } => (Exit::NoSpace, "no_space"),
            StoreError::WouldOverwrite { .. } => (Exit::WouldOverwrite, "would_overwrite"),
            StoreError::Locked { .. } => (Exit::Failed, "locked"),
            StoreError::Stopped(_) => (Exit::Stopped, "stopped"),
            _ => (Exit::Failed, "failed"),
        };
        let hint = match &error {
            StoreError::Io { error, .. } => elsewhere(error.kind()).map(String::from),
            _ => None,
        };
        Failure { hint, ..Failure::new(exit, word, error.to_string()) }
    }
}

/// What to do where the folder itself is the trouble.
fn elsewhere(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::NotADirectory => Some("a file has that name: choose another folder with -o"),
        ErrorKind::PermissionDenied => {
            Some("see that you may read and write there, or choose another folder with -o")
        }
        ErrorKind::ReadOnlyFilesystem => Some("choose a folder that can be written to with -o"),
        _ => None,
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Failure {
        match error {
            RunError::Store(error) => error.into(),
            RunError::Io(error) => Failure::failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_are_those_that_scripts_rely_on() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        let help = Exit::help("  minibit-peer join LINK");
        for exit in Exit::ALL {
            assert!(help.contains(&format!("\n  {}  {}\n", exit.code(), exit.meaning())), "{exit:?}");
        }
    }

    #[test]
    fn each_trouble_with_the_disk_has_its_code() {
        let (dir, path, pid) = (String::from("d"), String::from("p"), String::from("7"));
        let code = |error: StoreError| Failure::from(RunError::Store(error)).exit.code();
        assert_eq!(code(StoreError::NoSpace { dir: dir.clone(), needed: 2, free: 1 }), 5);
        assert_eq!(code(StoreError::WouldOverwrite { path }), 6);
        assert_eq!(code(StoreError::Locked { pid, dir }), 1);
        assert_eq!(Failure::from(BadLink("x".into())).exit.code(), 7);
        assert_eq!(Failure::bad_metainfo("x", &MetainfoError::Malformed("x".into())).exit.code(), 7);
    }

    #[test]
    fn a_folder_that_cannot_be_used_says_what_to_do() {
        let hint = |kind: ErrorKind| {
            let (doing, path) = ("cannot make the folder", String::from("p"));
            Failure::from(StoreError::Io { doing, path, error: kind.into() }).hint
        };
        for kind in [ErrorKind::NotADirectory, ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            assert!(hint(kind).is_some_and(|hint| hint.contains("-o")), "{kind}");
        }
        assert_eq!(hint(ErrorKind::Other), None);
    }

    #[test]
    fn a_port_in_use_says_what_to_do() {
        let failure = Failure::bind(&ErrorKind::AddrInUse.into());
        assert_eq!((failure.exit, failure.word), (Exit::Failed, "port_in_use"));
        assert!(failure.hint.is_some_and(|hint| hint.contains("--listen")));
    }
}
