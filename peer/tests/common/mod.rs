//! What every target of stories with real processes needs: the programs, files to share, and nodes to run.

#![allow(dead_code, reason = "each target uses its part of it")]

pub mod binaries;
pub mod content;
pub mod node;
pub mod outside;
#[path = "../../../tests/common/program.rs"]
pub mod program;
