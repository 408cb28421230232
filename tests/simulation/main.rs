//! A deterministic simulation of whole swarms: the production core and codec, in virtual time, from one seed.
//! No socket, file or clock but for the log of a campaign; see `world` for how it is played and `checker` for what may never be.

mod campaign;
mod checker;
mod clock;
mod disk;
mod faults;
mod hostile;
mod machine;
mod mix;
mod network;
mod queue;
mod spreading;
mod stories;
mod tally;
mod trace;
mod truth;
mod world;
