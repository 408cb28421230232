//! Where programs are: minibit's own two, and whether others are installed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// minibit's own.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `minibit-tracker`.
    pub tracker: PathBuf,
    /// `minibit-peer`.
    pub peer: PathBuf,
}

impl Programs {
    /// Those in `folder` if one is named; else beside us, built first where cargo runs us.
    pub fn find(folder: Option<&Path>) -> Result<Programs> {
        let own = env::current_exe().context("where are we?")?;
        let beside = own.parent().context("a program is in a folder")?;
        if let (None, Some(cargo)) = (folder, env::var_os("CARGO")) {
            build(&cargo, beside)?;
        }
        let folder = folder.unwrap_or(beside);
        let (tracker, peer) = (folder.join("minibit-tracker"), folder.join("minibit-peer"));
        for program in [&tracker, &peer] {
            ensure!(
                program.is_file(),
                "{} is missing: cargo build --release, or --programs",
                program.display()
            );
        }
        Ok(Programs { tracker, peer })
    }
}

/// Builds them into the folder that cargo has put us in. Naming ourselves makes cargo choose the same features as when it
/// built us, so that nothing is built twice.
fn build(cargo: &OsStr, beside: &Path) -> Result<()> {
    let mut command = Command::new(cargo);
    command.args(["build", "-q", "-p", "minibit-bench", "-p", "minibit-tracker", "-p", "minibit-peer"]);
    if beside.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    if !command.status().context("cargo cannot be started")?.success() {
        bail!("the build failed: see above");
    }
    Ok(())
}

/// Where programs are looked for: PATH, and the folders that only root has in it.
pub fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    env::join_paths(folders).unwrap_or(path)
}

/// A program of that name on the search path.
pub fn installed(name: &str) -> Option<PathBuf> {
    env::split_paths(&search_path()).map(|folder| folder.join(name)).find(|path| path.is_file())
}
