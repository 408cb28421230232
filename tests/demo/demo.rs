//! The demo: builds everything, seeds `testdata/media`, joins peers as real processes, shows their bars side by side
//! and compares what they have. Exit 0 only if it is the same everywhere.

mod bars;
mod build;
mod content;
#[path = "../common/program.rs"]
mod program;
mod story;
mod table;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// One seed, some peers, and at the end the same bytes everywhere.
#[derive(Parser)]
#[command(name = "demo")]
pub struct Options {
    /// How many peers join.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=50))]
    peers: u8,
    /// Share one file of this size (64MiB, 1GiB) made up on the spot, at full speed, instead of the four media files.
    #[arg(long, value_name = "SIZE", value_parser = minibit::console::amounts::size)]
    bytes: Option<u64>,
    /// Leave the peers' folders for a look.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when every peer has what the seed has.
fn run(options: &Options) -> Result<bool> {
    let programs = build::programs()?;
    let stop = stop_on_signal()?;
    let mut place =
        tempfile::Builder::new().prefix("minibit-demo-").tempdir().context("no temporary folder")?;
    place.disable_cleanup(options.keep);
    let content = content::find_or_make(options.bytes, place.path())?;
    let outcome = story::tell(&programs, &content, options.peers, place.path(), &stop)?;
    let same = table::print(&content.path, &outcome)?;
    if options.keep {
        eprintln!("The peers' folders stay in {}", place.path().display());
    }
    Ok(same)
}

/// Raised by Ctrl-C, SIGTERM or the terminal's end, so that the guards of processes and folders still run.
fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(inside);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        raised.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

/// The project's own folder.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
