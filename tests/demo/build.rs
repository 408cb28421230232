//! Builds the two programs in release mode and says where they are.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Where the programs are.
pub struct Programs {
    /// `minibit-tracker`.
    pub tracker: PathBuf,
    /// `minibit-peer`.
    pub peer: PathBuf,
}

/// Naming the demo makes cargo choose the same features as when it built us, so that nothing is built twice.
/// Without `--workspace`, the benches stay out of it.
const BUILD: [&str; 6] =
    ["build", "--release", "--bins", "--example", "demo", "--message-format=json-render-diagnostics"];

/// Builds them with the cargo that runs us; its own messages go to standard error.
pub fn programs() -> Result<Programs> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut building = Command::new(cargo)
        .args(BUILD)
        .current_dir(super::project())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo cannot be started")?;
    let messages = BufReader::new(building.stdout.take().expect("it was piped above"));
    let (mut tracker, mut peer) = (None, None);
    for line in messages.lines() {
        match executable(&line?) {
            Some((name, path)) if name == "minibit-tracker" => tracker = Some(path),
            Some((name, path)) if name == "minibit-peer" => peer = Some(path),
            _ => {}
        }
    }
    if !building.wait()?.success() {
        bail!("the build failed: see above");
    }
    Ok(Programs {
        tracker: tracker.context("cargo built no minibit-tracker")?,
        peer: peer.context("cargo built no minibit-peer")?,
    })
}

/// The program that one of cargo's messages speaks of, if it does.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let name = message["target"]["name"].as_str()?;
    let path = message["executable"].as_str()?;
    Some((name.to_owned(), path.into()))
}
