//! Where the two programs are. The tracker belongs to another package, so cargo may have to be asked for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// `minibit-peer`, always fresh.
pub fn peer() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_minibit-peer"))
}

/// `minibit-tracker`, built if it is missing or older than a source.
pub fn tracker() -> PathBuf {
    static TRACKER: OnceLock<PathBuf> = OnceLock::new();
    TRACKER.get_or_init(find_tracker).clone()
}

/// The folder of the workspace.
pub fn project() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies in the workspace").to_owned()
}

fn find_tracker() -> PathBuf {
    let path = peer().with_file_name("minibit-tracker");
    let sources = ["src", "tracker", "Cargo.lock"].map(|name| newest(&project().join(name)));
    if modified(&path) <= sources.into_iter().max().flatten() {
        build(&path);
    }
    assert!(path.is_file(), "cargo built no {}", path.display());
    path
}

/// Builds all programs of the workspace, and names the demo because what needs the development dependencies makes
/// cargo choose the same features as for `cargo test --workspace`: nothing is built twice.
fn build(path: &Path) {
    let folder = path.parent().expect("a program lies in a folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().expect("a profile lies in the target folder");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--workspace",
            "--bins",
            "--example",
            "demo",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target)
        .current_dir(project())
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "minibit-tracker cannot be built");
}

/// When the newest file at or below `path` was written.
fn newest(path: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let below = entries.filter_map(|entry| newest(&entry.path())).max();
    if path.is_dir() { below } else { modified(path) }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}
