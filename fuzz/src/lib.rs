//! The fuzz targets: each takes any bytes and panics when something that must hold of them does not.
//!
//! A new one is a module with a function `run`, a row in [`TARGETS`], and a few seeds in `corpus/<name>`.

mod bans;
mod bencode;
mod frames;
mod journal;
mod links;
mod messages;
mod metainfo;
mod node;
mod paths;
mod sheet;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Of its folder in `corpus`, its file in `dictionaries`, and on the command line of `fuzz/run`.
    pub name: &'static str,
    /// Panics when something does not hold.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 11] = [
    Target { name: "frames", run: frames::run },
    Target { name: "splits", run: frames::run_at_every_place },
    Target { name: "messages", run: messages::run },
    Target { name: "bencode", run: bencode::run },
    Target { name: "metainfo", run: metainfo::run },
    Target { name: "paths", run: paths::run },
    Target { name: "links", run: links::run },
    Target { name: "sheet", run: sheet::run },
    Target { name: "bans", run: bans::run },
    Target { name: "journal", run: journal::run },
    Target { name: "node", run: node::run },
];

/// The target of this name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
