//! The `minibit-tracker` program: what was typed, what it means, doing it, the exit code.

mod cli;
mod seed;
mod serve;

use std::process::ExitCode;

use cli::{Cli, Command};
use minibit::console::{Exit, Failure, Talk, conduct};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    conduct(|cli: &Cli| &cli.talk, run)
}

async fn run(cli: Cli, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    match cli.command {
        Command::Seed(seed) => seed::run(seed, talk, stop).await,
        Command::Serve(serve) => serve::run(serve, talk, stop).await,
    }
}
