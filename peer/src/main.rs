//! The `minibit-peer` program: what was typed, what it means, doing it, the exit code.

mod cli;
mod content;
mod join;
mod repair;
mod share;

use std::process::ExitCode;

use cli::{Cli, Command};
use minibit::console::{Exit, Failure, Talk, conduct};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    conduct(|cli: &Cli| &cli.talk, run)
}

async fn run(cli: Cli, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    match cli.command {
        Command::Join(join) => join::run(join, talk, stop).await,
        Command::Share(share) => share::run(share, talk, stop).await,
        Command::Create(create) => content::create(create, talk, stop).await,
        Command::Show(show) => content::show(show, talk, stop).await,
        Command::Verify(verify) => content::verify(verify, talk, stop).await,
    }
}
