//! Swarms of thousands of production cores in virtual time, beside the fluid bound; see `--help`.
//!
//! The picture is made by two commands, so that long runs may be added one at a time:
//!
//!     cargo run --release -p minibit-scale -- run --peers 8,16,50,200 --json benches/scale/completion.jsonl
//!     cargo run --release -p minibit-scale -- plot benches/scale/completion.jsonl

mod network;
mod outcome;
mod plot;
mod probe;
mod queue;
mod scenario;
mod share;
mod validate;
mod weight;
mod world;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
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
    /// Plays what was measured on real networks and prints the model's error
    Validate(Validate),
    /// Draws the runs of a file that `run --json` wrote
    Plot(Plot),
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

#[derive(Args)]
struct Validate {
    /// Lines of JSON as minibit-bench writes them, or with n, up, down, seed_up, delay, ratio and seed_copies
    measured: PathBuf,
    /// Only contenders whose name contains this
    #[arg(long, default_value = "minibit", value_name = "NAME")]
    contender: String,
    #[command(flatten)]
    scenario: Scenario,
}

#[derive(Args)]
struct Plot {
    /// Lines of JSON
    runs: PathBuf,
    /// Where the picture goes
    #[arg(long, default_value = "benches/scale/completion.svg", value_name = "FILE")]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    match Line::parse().command {
        Command::Run(run) => play_all(&run),
        Command::Validate(it) => {
            print!("{}", validate::validate(&it.measured, &it.contender, &it.scenario)?);
            Ok(())
        }
        Command::Plot(it) => {
            let runs = std::fs::read_to_string(&it.runs)
                .with_context(|| format!("cannot read {}", it.runs.display()))?;
            std::fs::write(&it.out, plot::draw(&runs)?)
                .with_context(|| format!("cannot write {}", it.out.display()))
        }
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
    print!("{}\n{}", outcome::table(&outcomes), outcome::fill_table(&outcomes));
    if run.split {
        print!("\n{}", outcome::split_table(&outcomes));
    }
    Ok(())
}
