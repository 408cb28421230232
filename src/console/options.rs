//! The options that several commands share, as they are typed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use super::{amounts, state};
use crate::ids::Endpoint;
use crate::net::content::{HashCache, ScanOptions};
use crate::wire::Goal;

/// How much is said, and in which form.
#[derive(Args, Clone, Debug, Default)]
pub struct TalkOptions {
    /// Print one JSON object per line on stdout
    #[arg(long, global = true, env = "MINIBIT_JSON", value_parser = FalseyValueParser::new(), help_heading = "Talk")]
    pub json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, env = "MINIBIT_QUIET", value_parser = FalseyValueParser::new(), help_heading = "Talk")]
    pub quiet: bool,
    /// Say more: peers that come and go, and their troubles
    #[arg(short, long, global = true, env = "MINIBIT_VERBOSE", value_parser = FalseyValueParser::new(), help_heading = "Talk")]
    pub verbose: bool,
}

/// Under which names others reach this machine.
#[derive(Args, Clone, Debug, Default)]
pub struct AdvertiseOptions {
    /// How others reach this machine, instead of its own likely addresses; may be repeated
    #[arg(long, value_name = "HOST[:PORT]", env = "MINIBIT_ADVERTISE", value_delimiter = ',')]
    pub advertise: Vec<Advertised>,
}

/// How a path is read and announced.
#[derive(Args, Clone, Debug)]
pub struct PublishOptions {
    /// Length of a piece: a power of two from 16KiB to 16MiB [default: by size]
    #[arg(long, value_name = "BYTES", env = "MINIBIT_PIECE_SIZE", value_parser = amounts::piece_bytes)]
    pub piece_size: Option<u32>,
    /// Refuse names that another system could not hold
    #[arg(long, env = "MINIBIT_PORTABLE", value_parser = FalseyValueParser::new())]
    pub portable: bool,
    /// Leave out links, devices and the like
    #[arg(long, env = "MINIBIT_SKIP_SPECIAL", value_parser = FalseyValueParser::new())]
    pub skip_special: bool,
    /// Read also those files whose path, size, times, device and inode are as they were when they were hashed
    #[arg(long, env = "MINIBIT_REHASH", value_parser = FalseyValueParser::new())]
    pub rehash: bool,
    /// Keep hashes from run to run in a folder minibit-hashes in here [default: $XDG_STATE_HOME/minibit, or
    /// ~/.local/state/minibit; nothing is kept without a home]
    #[arg(long, value_name = "DIR", env = "MINIBIT_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Files written before a share is announced.
#[derive(Args, Clone, Debug, Default)]
pub struct AnnounceOptions {
    /// Write the metainfo file here
    #[arg(long, value_name = "F", env = "MINIBIT_TORRENT_FILE")]
    pub torrent_file: Option<PathBuf>,
    /// Write the link here
    #[arg(long, value_name = "F", env = "MINIBIT_LINK_FILE")]
    pub link_file: Option<PathBuf>,
}

/// What the swarm of a share is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GoalChoice {
    /// Who gives gets
    Reciprocal,
    /// All finish soonest
    LastPeer,
}

impl From<GoalChoice> for Goal {
    fn from(choice: GoalChoice) -> Goal {
        match choice {
            GoalChoice::Reciprocal => Goal::Reciprocal,
            GoalChoice::LastPeer => Goal::LastPeer,
        }
    }
}

impl PublishOptions {
    /// As the scan takes them, which is to begin now.
    pub fn scan(&self) -> ScanOptions {
        let folder = self.state_dir.clone().or_else(state::folder);
        ScanOptions {
            piece_bytes: self.piece_size,
            skip_special: self.skip_special,
            portable: self.portable,
            cache: folder.map(|folder| HashCache::new(&folder, self.rehash)),
        }
    }
}

/// A host that others reach us by; the port is the one we listen on unless it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// Where another machine passes connections on to ours.
    pub port: Option<u16>,
}

impl Advertised {
    /// Where others go when we listen on `port`.
    pub fn endpoint(&self, port: u16) -> Endpoint {
        Endpoint { host: self.host.clone(), port: self.port.unwrap_or(port) }
    }
}

impl std::str::FromStr for Advertised {
    type Err = String;

    fn from_str(text: &str) -> Result<Advertised, String> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Advertised { host: ip.to_string(), port: None });
        }
        if let Ok(Endpoint { host, port }) = text.parse() {
            return Ok(Advertised { host, port: Some(port) });
        }
        match format!("{text}:1").parse::<Endpoint>() {
            Ok(Endpoint { host, .. }) => Ok(Advertised { host, port: None }),
            Err(_) => Err("this is not HOST or HOST:PORT (IPv6 as [address]:port)".to_owned()),
        }
    }
}

/// The address to listen on: `ADDR:PORT`, or a port alone for all addresses.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port_alone = || text.parse().ok().map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    let named = || {
        let port = text.strip_prefix("localhost:")?.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    text.parse()
        .ok()
        .or_else(port_alone)
        .or_else(named)
        .ok_or_else(|| "this is not ADDR:PORT, as in 0.0.0.0:7070 or [::]:7070".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_host_may_come_without_its_port() {
        let table = [
            ("example.org", "example.org", None),
            ("example.org:7", "example.org", Some(7)),
            ("10.0.0.1", "10.0.0.1", None),
            ("10.0.0.1:7", "10.0.0.1", Some(7)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:7", "::1", Some(7)),
        ];
        for (text, host, port) in table {
            assert_eq!(text.parse(), Ok(Advertised { host: host.into(), port }), "{text}");
        }
        for text in ["", ":7", "a b", "example.org:0", "example.org:99999", "[x]:7", "'"] {
            assert!(text.parse::<Advertised>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_to_listen_on_has_a_port() {
        for (text, address) in [
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::]:7070", "[::]:7070"),
            ("7071", "[::]:7071"),
            ("localhost:9", "127.0.0.1:9"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for text in ["", "10.0.0.1", "example.org:7", ":7", "0.0.0.0:70000"] {
            assert!(listen_address(text).is_err(), "{text}");
        }
    }
}
