//! minibit: one folder to many machines, quickly and surely.
//!
//! **Decisions go through a pure core; bytes go around it; a thin shell joins them.**

pub mod chance;
#[cfg(feature = "console")]
pub mod console;
pub mod content;
pub mod ids;
#[cfg(feature = "net")]
pub mod net;
pub mod node;
pub mod scope;
pub mod seam;
pub mod swarm;
pub mod time;
pub mod tracker;
pub mod wire;
