//! What may be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use minibit::console::amounts;

use crate::job::Preset;
use crate::lab::Kind;

/// Times minibit beside what people would use instead. Prints no figure of a run whose bytes were not verified.
#[derive(Debug, Parser)]
#[command(name = "minibit-bench")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One seed, some peers, real processes
    Swarm(SwarmOptions),
    /// Medians of earlier runs, as Markdown
    Table {
        /// What `swarm --out` wrote
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// The tracker's register with very many peers and shares, in memory alone
    Register(RegisterOptions),
    /// How exact and smooth the rate limits are
    Limits(LimitsOptions),
}

/// Of `swarm`.
#[derive(Debug, Args)]
pub struct SwarmOptions {
    /// What is to be done; may be repeated
    #[arg(long = "job", value_enum, required = true)]
    pub jobs: Vec<Preset>,
    /// How often each contender does it, in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub runs: u32,
    /// Another size of the one file: 64MiB
    #[arg(long, value_name = "SIZE", value_parser = amounts::size)]
    pub bytes: Option<u64>,
    /// Another number of peers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=60))]
    pub peers: Option<u8>,
    /// Who takes part, by commas [default: everyone that is installed]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub contenders: Vec<String>,
    /// Loopback, or a network namespace each (root) [default: ns where it can be made]
    #[arg(long, value_enum)]
    pub lab: Option<Kind>,
    /// What the content is made from
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Scratch space [default: /dev/shm, else the temporary folder]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Append each run to this file, as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Seconds that a run may take
    #[arg(long, default_value_t = 180, value_name = "SECONDS")]
    pub timeout: u64,
    /// Where minibit-tracker and minibit-peer are [default: built by cargo, or beside this program]
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
}

/// Of `register`.
#[derive(Clone, Copy, Debug, Args)]
pub struct RegisterOptions {
    /// Peers in the one large share
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=131_072))]
    pub peers: u32,
    /// Shares of ten peers each
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    pub shares: u32,
    /// Only this part, in this process
    #[arg(long, value_enum, hide = true)]
    pub part: Option<crate::register::Part>,
}

/// Of `limits`.
#[derive(Debug, Args)]
pub struct LimitsOptions {
    /// Bytes a second, by commas
    #[arg(long, value_delimiter = ',', value_parser = amounts::rate, default_value = "512KiB,4MiB,32MiB")]
    pub rates: Vec<u64>,
    /// Where minibit-tracker and minibit-peer are [default: built by cargo, or beside this program]
    #[arg(long, value_name = "DIR")]
    pub programs: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn jobs_and_contenders_are_taken_as_typed() {
        let words =
            "minibit-bench swarm --job one --job shaped-8 --contenders minibit,aria2 --bytes 64MiB --runs 5";
        let Command::Swarm(options) = Cli::parse_from(words.split(' ')).command else { panic!("swarm") };
        assert_eq!(options.jobs, [Preset::One, Preset::Shaped8]);
        assert_eq!(options.contenders, ["minibit", "aria2"]);
        assert_eq!((options.bytes, options.runs), (Some(64 << 20), 5));
    }
}
