//! Stories of several processes: the real programs on loopback, and the bytes they end with.
//!
//! Nothing here sleeps to wait: a story goes on when an event, an end or its deadline has come.

mod binaries;
mod choosing;
mod content;
mod crowded;
mod libtorrent;
mod node;
mod outside;
#[path = "../../../tests/common/program.rs"]
mod program;
mod spreading;
mod stopping;
mod stranger;
