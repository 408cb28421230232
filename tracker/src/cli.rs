//! What may be typed after `minibit-tracker`; means nothing yet.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use minibit::console::options::{
    AdvertiseOptions, AnnounceOptions, GoalChoice, PublishOptions, TalkOptions, listen_address,
};
use minibit::console::{Exit, amounts};

/// Bring the peers of a share together, and be its first seed
#[derive(Parser, Debug)]
#[command(version, arg_required_else_help = true, after_help = Exit::help(
"  minibit-tracker seed photos
  minibit-tracker serve --open"))]
pub struct Cli {
    #[command(flatten)]
    pub talk: TalkOptions,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Seed(Seed),
    Serve(Serve),
}

/// Share files or folders: tracker and first seed of each, all on one port
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-tracker seed photos
  minibit-tracker seed photos talk.mp4 --listen 0.0.0.0:9000 --limit-up 4MB
  minibit-tracker seed photos --advertise files.example.org --link-file photos.link"))]
pub struct Seed {
    /// Files or folders, each a share of its own
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Where to accept connections; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:7070", env = "MINIBIT_LISTEN", value_parser = listen_address)]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub advertise: AdvertiseOptions,
    #[command(flatten)]
    pub publish: PublishOptions,
    #[command(flatten)]
    pub outputs: AnnounceOptions,
    /// What the swarm is after
    #[arg(long, value_name = "GOAL", default_value = "reciprocal", env = "MINIBIT_GOAL")]
    pub goal: GoalChoice,
    /// Send at most this many bytes a second: 512KiB, 4MB, 1.5GiB
    #[arg(long, value_name = "RATE", env = "MINIBIT_LIMIT_UP", value_parser = amounts::rate)]
    pub limit_up: Option<u64>,
}

/// Keep a register without content, for the shares named or for any
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-tracker serve photos.torrent
  minibit-tracker serve 'magnet:?xt=urn:btmh:1220...' --listen 0.0.0.0:9000
  minibit-tracker serve --open"))]
pub struct Serve {
    /// Metainfo files, or magnet links between single quotes
    #[arg(value_name = "FILE.torrent|LINK")]
    pub subjects: Vec<OsString>,
    /// Where to accept connections; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "[::]:7070", env = "MINIBIT_LISTEN", value_parser = listen_address)]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub advertise: AdvertiseOptions,
    /// Take any share that a peer asks for
    #[arg(long, env = "MINIBIT_OPEN", value_parser = FalseyValueParser::new())]
    pub open: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn each_option_has_its_twin_in_the_environment() {
        let program = Cli::command();
        program.clone().debug_assert();
        let commands = program.get_subcommands().chain([&program]);
        for option in
            commands.flat_map(|command| command.get_arguments()).filter(|option| !option.is_positional())
        {
            let long = option.get_long().expect("each option has a long name");
            if !["help", "version"].contains(&long) {
                let twin = format!("MINIBIT_{}", long.to_uppercase().replace('-', "_"));
                assert_eq!(option.get_env().and_then(|name| name.to_str()), Some(twin.as_str()), "--{long}");
            }
        }
    }
}
