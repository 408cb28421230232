//! What both programs share towards the person: options, words, bars, JSON lines, exit codes, and a session from its
//! start to its end. Decides nothing about the swarm.

pub mod amounts;
pub mod event;
pub mod exit;
pub mod human;
pub mod look;
pub mod options;
pub mod output;
pub mod publish;
pub mod screen;
pub mod session;
pub mod signals;
pub mod start;
pub mod state;
pub mod subject;
pub mod talk;

pub use exit::{Exit, Failure};
pub use talk::Talk;

use std::process::ExitCode;
use std::thread::available_parallelism;

use clap::error::ErrorKind;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;

use event::Event;
use options::TalkOptions;

/// One core in two serves links and hashes; the others are for the kernel's part of that, and for the threads that read and
/// write files. With a worker for each of two cores one GiB to four peers took longer by a twenty-fifth, and on slow lines
/// the workers spent a tenth of all processor time on waking each other.
const CORES_PER_WORKER: usize = 2;

/// A program from its command line to its exit code: what was typed is read into `C`, `run` does it, and what it failed
/// of is told. `run` gets a token that the first Ctrl-C or SIGTERM cancels; the second ends the process.
pub fn conduct<C: clap::Parser>(
    talk_options: impl FnOnce(&C) -> &TalkOptions,
    run: impl AsyncFnOnce(C, &Talk, CancellationToken) -> Result<Exit, Failure>,
) -> ExitCode {
    let cli = match C::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error).into(),
    };
    raise_descriptor_limit();
    let stop = CancellationToken::new();
    let talk = Talk::new(talk_options(&cli), stop.clone());
    let workers = available_parallelism().map_or(1, |cores| cores.get().div_ceil(CORES_PER_WORKER));
    let runtime = match Builder::new_multi_thread().worker_threads(workers).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(&talk, Err(Failure::failed(format!("cannot begin: {error}")))).into(),
    };
    let end = runtime.block_on(async {
        let _signals = signals::Signals::stop_with(stop.clone())
            .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
        Box::pin(run(cli, &talk, stop.clone())).await
    });
    talk.screen.clear();
    // A look at a disk that does not answer is left in its thread: nothing waits for it.
    runtime.shutdown_background();
    ended(&talk, end).into()
}

/// Asks for as many file descriptors as this process may have. What the system refuses is done without.
fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// Tells of a failure, and gives the exit code; a reader that went away is no failure, a result that could not be written is.
fn ended(talk: &Talk, end: Result<Exit, Failure>) -> Exit {
    match end {
        _ if talk.is_unread() => Exit::Done,
        Ok(Exit::Done) if talk.is_untold() => Exit::Failed,
        Ok(exit) => exit,
        Err(failure) => {
            talk.error(&failure);
            if talk.is_unread() { Exit::Done } else { failure.exit }
        }
    }
}

/// Help and version on stdout; what makes no sense on stderr, and as an event where JSON was asked for.
fn misread(error: &clap::Error) -> Exit {
    // Nothing is left to tell when neither stream can be written.
    let _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Exit::Done;
    }
    if is_json_asked() {
        use std::io::Write;
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let _ = writeln!(std::io::stdout(), "{}", Event::Error { code: "usage", message }.to_json());
    }
    Exit::Usage
}

/// Whether `--json` or its twin asks for JSON, of a command line that could not be read.
fn is_json_asked() -> bool {
    let off = |value: &str| matches!(value, "" | "0" | "n" | "no" | "f" | "false" | "off");
    let twin = std::env::var("MINIBIT_JSON").is_ok_and(|value| !off(&value.to_lowercase()));
    twin || std::env::args_os().any(|word| word == "--json")
}
