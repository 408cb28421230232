//! Swarms of thousands of production cores in virtual time, beside the fluid bound; see `--help`.

mod network;
mod outcome;
mod probe;
mod queue;
mod scenario;
mod share;
mod weight;
mod world;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use outcome::Outcome;
use scenario::Scenario;

/// Plays whole swarms of minibit's core in virtual time, on a lean model of the network
#[derive(Parser)]
#[command(version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays a scenario for each number of peers and prints a table
    Run(Run),
}

#[derive(Args)]
struct Run {
    /// How many peers, the seed not among them
    #[arg(long, default_value = "8,16,50,200", value_delimiter = ',', value_name = "COUNT")]
    peers: Vec<usize>,
    #[command(flatten)]
    scenario: Scenario,
    /// Also says where the cost of a peer's core lies
    #[arg(long)]
    split: bool,
    /// Appends each run to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    match Line::parse().command {
        Command::Run(run) => play_all(&run),
    }
}

fn play_all(run: &Run) -> anyhow::Result<()> {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for peers in &run.peers {
        let outcome = outcome::play(&run.scenario, *peers)?;
        eprintln!("{peers} peers: {:.2} s, {:.3} x the bound", outcome.last, outcome.ratio());
        if let Some(path) = &run.json {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
            writeln!(file, "{}", outcome::json_line(&outcome))?;
        }
        outcomes.push(outcome);
    }
    print!("{}", outcome::table(&outcomes));
    if run.split {
        print!("\n{}", outcome::split_table(&outcomes));
    }
    Ok(())
}
