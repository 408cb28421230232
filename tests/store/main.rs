//! Stories of content on real disks: shared, laid down, gone on with, changed under our feet, checked.

#![cfg(feature = "net")]

mod begin;
mod cache;
mod changes;
mod crash;
mod finish;
mod journal;
mod mend;
mod resume;
mod retouch;
mod scan;
mod support;
mod unsynced;
mod verify;
