//! The shell: the only rooms that name sockets, files, tasks and clocks.

pub mod content;
