//! What the real programs survive: kills, stops, full and failing disks, bad lines, strangers and crowds.
//!
//! Nothing here sleeps to wait: a story goes on when an event, a message, a state on disk or its deadline has come.
//! The long campaigns are ignored tests; each file says at its head how to run its own.

mod caller;
#[path = "../common/mod.rs"]
mod common;
mod cramped;
mod crowd;
mod disk;
mod files;
mod killed;
mod middlebox;
mod names;
mod partition;
mod reaching;
mod signals;
mod strangers;

use common::{content, node};
