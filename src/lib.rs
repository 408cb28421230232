//! minibit: one folder to many machines, quickly and surely. This page is the map of the house.
//!
//! **Decisions go through a pure core; bytes go around it; a thin shell joins them.** The core is a set of state
//! machines: what happened and when goes in, what should be done comes out ([`node::Node::handle`]). It reads no clock,
//! rolls no dice of its own and opens nothing, so that the same core runs under tokio and, deterministically, in the
//! simulator in `tests/simulation`.
//!
//! | room | what it is | names only |
//! |---|---|---|
//! | `ids` `time` `chance` `scope` | who and which; moments; a seeded generator; how far an address reaches | std, `ids` |
//! | `content` | what a share is: geometry, Merkle trees, metainfo, names, links, inventory | the above |
//! | `wire` | messages and frames; believes nothing | the above |
//! | `seam` | the words between core and shell: events, actions, views | the above |
//! | `swarm` | one share's swarm: whom to ask, whom to serve, whom to ban | the above |
//! | `tracker` | one share's register: who is in it, whom to tell | the above, never `swarm` |
//! | `node` | one process: joins swarms and registers behind one `handle()` and one `deadline()` | the above |
//! | `net` | the shell: sockets, files, tasks, clocks | the above |
//! | `console` | what both programs share towards a person: options, bars, JSON lines, exit codes | the above |
//!
//! A test (`tests/fence`) keeps these walls. The features `net` and `console` switch the last two rooms off, so that
//! `cargo test -p minibit --no-default-features` proves that the core needs no runtime.
//!
//! # The path of a block
//!
//! 1. [`swarm`]'s picker chooses a block (whole leaves of one piece, at most 1 MiB) for a peer whose pipe has room.
//! 2. The other side's core checks the request and hands it to its shell, which reads the file by position and sends
//!    one line and the bytes. (Not by sendfile: what was checked after it was read cannot change before it is sent, and
//!    on loopback both cost the same.)
//! 3. The link's reader waits for a few 16 KiB leaves together, hashes each while it is hot, and posts the digests
//!    to the core; the bytes stay in its hand.
//! 4. The core answers with [`seam::Action::Write`] and the bytes go to the store, by position; or they are dropped.
//! 5. When a piece has all its leaves and writes, its root is computed from the digests alone. A right one is announced, at
//!    once or with the next ones; a wrong one is held against its true leaves, and only who sent a false one is banned.
//! 6. A file whose every piece is right is synced and moved into its place.
//!
//! # Where the house differs from its first design, and why
//!
//! - `seam` stands between core and shell, because swarm, tracker and node all write actions and none owns the others.
//! - `scope` is a leaf, because both swarm and tracker pass addresses on and may not name each other.
//! - `console` is a room of the library, because the two programs would otherwise each have their own bars and words.
//! - The handshake is decided in the core, not in the shell: so the simulator tries it too.

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
