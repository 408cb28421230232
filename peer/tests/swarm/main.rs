//! Stories of several processes: the real programs on loopback, and the bytes they end with.
//!
//! Nothing here sleeps to wait: a story goes on when an event, an end or its deadline has come.

mod choosing;
#[path = "../common/mod.rs"]
mod common;
mod crowded;
mod libtorrent;
mod mending;
mod spreading;
mod stopping;
mod stranger;

use common::{binaries, content, node, outside};
