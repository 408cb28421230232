//! What may be typed after `minibit-peer`; means nothing yet.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand};
use minibit::console::options::{
    AdvertiseOptions, AnnounceOptions, PublishOptions, TalkOptions, listen_address,
};
use minibit::console::{Exit, amounts};
use minibit::ids::Endpoint;
use minibit::net::content::select;

/// Get a folder from many machines at once, and pass it on
#[derive(Parser, Debug)]
#[command(version, arg_required_else_help = true, after_help = Exit::help(
"  minibit-peer join 'magnet:?xt=urn:btmh:1220...&x.pe=host:7070'
  minibit-peer share photos --tracker host:7070
  minibit-peer create photos -o photos.torrent
  minibit-peer verify photos photos.torrent"))]
pub struct Cli {
    #[command(flatten)]
    pub talk: TalkOptions,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    Join(Join),
    Share(Share),
    Create(Create),
    Show(Show),
    Verify(Verify),
}

/// Download a share, then go on seeding it until stopped
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-peer join 'magnet:?xt=urn:btmh:1220...&x.pe=host:7070'
  minibit-peer join photos.torrent -o Downloads --leave-when-complete
  minibit-peer join photos.torrent --peer 10.0.0.7:6881 --select '*.mp3'
  minibit-peer join photos.torrent --seed-for 1h30m --limit-up 512KiB"))]
pub struct Join {
    /// A magnet link between single quotes, or a metainfo file
    #[arg(value_name = "LINK|FILE")]
    pub subject: OsString,
    /// Download into this folder, under the share's name
    #[arg(short = 'o', long = "dir", value_name = "DIR", default_value = ".", env = "MINIBIT_DIR")]
    pub dir: PathBuf,
    /// Where to accept connections [default: a free port on every address]
    #[arg(long, value_name = "ADDR:PORT", env = "MINIBIT_LISTEN", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub advertise: AdvertiseOptions,
    /// Connect to this peer too, with or without a tracker; may be repeated
    #[arg(long, value_name = "HOST:PORT", env = "MINIBIT_PEER", value_delimiter = ',')]
    pub peer: Vec<Endpoint>,
    /// Only the files that match, by path below the share's folder; may be repeated
    #[arg(long, value_name = "GLOB", env = "MINIBIT_SELECT", value_parser = select::pattern)]
    pub select: Vec<String>,
    /// Send at most this many bytes a second: 512KiB, 4MB
    #[arg(long, value_name = "RATE", env = "MINIBIT_LIMIT_UP", value_parser = amounts::rate)]
    pub limit_up: Option<u64>,
    /// Receive at most this many bytes a second
    #[arg(long, value_name = "RATE", env = "MINIBIT_LIMIT_DOWN", value_parser = amounts::rate)]
    pub limit_down: Option<u64>,
    /// Give up when for so long nobody had what is missing: 90s, 5m [default: never]
    #[arg(long, value_name = "DURATION", env = "MINIBIT_TIMEOUT", value_parser = amounts::duration)]
    pub timeout: Option<Duration>,
    /// Stop as soon as everything is there; not with --seed-for
    #[arg(long, env = "MINIBIT_LEAVE_WHEN_COMPLETE", value_parser = FalseyValueParser::new())]
    pub leave_when_complete: bool,
    /// Stop so long after everything is there: 90s, 5m, 2h, 1h30m
    #[arg(long, value_name = "DURATION", env = "MINIBIT_SEED_FOR", value_parser = amounts::duration)]
    pub seed_for: Option<Duration>,
    /// Replace files that are there and differ; verify --repair fetches only what is wrong of them
    #[arg(long, env = "MINIBIT_FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,
}

/// Publish a file or folder of your own through an open tracker
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-peer share photos --tracker host:7070
  minibit-peer share photos --tracker host:7070 --limit-up 4MB --link-file photos.link"))]
pub struct Share {
    /// The file or folder
    pub path: PathBuf,
    /// A tracker that runs with --open
    #[arg(long, value_name = "HOST:PORT", env = "MINIBIT_TRACKER")]
    pub tracker: Endpoint,
    /// Where to accept connections [default: a free port on every address]
    #[arg(long, value_name = "ADDR:PORT", env = "MINIBIT_LISTEN", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub advertise: AdvertiseOptions,
    /// Send at most this many bytes a second: 512KiB, 4MB
    #[arg(long, value_name = "RATE", env = "MINIBIT_LIMIT_UP", value_parser = amounts::rate)]
    pub limit_up: Option<u64>,
    #[command(flatten)]
    pub publish: PublishOptions,
    #[command(flatten)]
    pub outputs: AnnounceOptions,
}

/// Describe a file or folder in a metainfo file (BitTorrent v2)
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-peer create photos -o photos.torrent
  minibit-peer create photos -o photos.torrent --piece-size 1MiB"))]
pub struct Create {
    /// The file or folder
    pub path: PathBuf,
    /// Write the metainfo file here
    #[arg(short = 'o', long = "output", value_name = "FILE", env = "MINIBIT_OUTPUT")]
    pub output: PathBuf,
    #[command(flatten)]
    pub publish: PublishOptions,
    /// Replace FILE if it is there
    #[arg(long, env = "MINIBIT_FORCE", value_parser = FalseyValueParser::new())]
    pub force: bool,
}

/// Show what a link or a metainfo file says
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-peer show photos.torrent
  minibit-peer show 'magnet:?xt=urn:btmh:1220...&x.pe=host:7070' --json"))]
pub struct Show {
    /// A magnet link between single quotes, or a metainfo file
    #[arg(value_name = "LINK|FILE")]
    pub subject: OsString,
    /// Ask this peer too for the description behind a link; may be repeated
    #[arg(long, value_name = "HOST:PORT", env = "MINIBIT_PEER", value_delimiter = ',')]
    pub peer: Vec<Endpoint>,
    /// How long to ask peers for the description behind a link
    #[arg(long, value_name = "DURATION", default_value = "5s", env = "MINIBIT_TIMEOUT", value_parser = amounts::duration)]
    pub timeout: Duration,
}

/// Check a file or folder against a link or a metainfo file, and mend it with --repair
#[derive(Args, Debug)]
#[command(after_help = Exit::help(
"  minibit-peer verify photos photos.torrent
  minibit-peer verify Downloads/photos 'magnet:?xt=urn:btmh:1220...&x.pe=host:7070'
  minibit-peer verify --repair photos photos.torrent --peer 10.0.0.7:6881"))]
pub struct Verify {
    /// The file or folder of the share, or the folder that holds it
    pub path: PathBuf,
    /// A magnet link between single quotes, or a metainfo file
    #[arg(value_name = "LINK|FILE")]
    pub subject: OsString,
    /// Mend it: fetch what is wrong or missing, and nothing else; files that are right are not touched
    #[arg(long, env = "MINIBIT_REPAIR", value_parser = FalseyValueParser::new())]
    pub repair: bool,
    /// Ask this peer too for the description behind a link, or for what is wrong; may be repeated
    #[arg(long, value_name = "HOST:PORT", env = "MINIBIT_PEER", value_delimiter = ',')]
    pub peer: Vec<Endpoint>,
    /// How long to ask peers for the description behind a link, or to look for one who has what is wrong
    #[arg(long, value_name = "DURATION", default_value = "30s", env = "MINIBIT_TIMEOUT", value_parser = amounts::duration)]
    pub timeout: Duration,
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
