//! A deterministic simulation of whole swarms: the production core and codec, in virtual time, from one seed.
//! No socket, file or clock; see `world` for how it is played and `checker` for what may never be.

mod checker;
mod disk;
mod faults;
mod machine;
mod mix;
mod network;
mod queue;
mod spreading;
mod stories;
mod trace;
mod truth;
mod world;
