//! The bench command: the same job done by minibit and by what people would use instead, timed, verified and compared.
//!
//! Real processes only; what one call of ours costs is `benches/micro`'s business.

mod cli;
mod contender;
mod job;
mod lab;
mod limits;
mod measure;
mod payload;
mod process;
mod programs;
mod register;
mod report;
mod run;
mod stop;
mod swarm;
mod table;
mod torrent;
mod tracker;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let outcome = match cli::Cli::parse().command {
        cli::Command::Swarm(options) => swarm::command(&options),
        cli::Command::Table { files } => report::command(&files),
        cli::Command::Register(options) => register::command(&options),
        cli::Command::Limits(options) => limits::command(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("minibit-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
