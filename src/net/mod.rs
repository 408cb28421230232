//! The shell: the only rooms that name sockets, files, tasks and clocks.

mod accept;
mod clock;
pub mod content;
mod dial;
mod disk;
pub mod driver;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod jobs;
mod link;
mod listen;
mod lobby;
mod offload;
mod pool;
mod serve;
mod shelf;
mod turns;

pub use driver::{Desk, RunError, run};
pub use listen::{listen, own_addresses};
