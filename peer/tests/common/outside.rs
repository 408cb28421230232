//! Programs that are not ours, run to their end or for as long as a story lasts.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;

use super::node::PATIENCE;

/// A foreign process; killed when dropped.
pub struct Foreign(pub Child);

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `python SCRIPT WORDS…` to its end. Panics if it takes longer than a story may.
pub fn run(python: &str, script: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(python);
    command.arg(script).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|why| panic!("{python}: {why}"));
    let pid = child.id();
    let (sender, outcome) = sync_channel(1);
    thread::spawn(move || sender.send(child.wait_with_output()));
    match outcome.recv_timeout(PATIENCE) {
        Ok(output) => output.expect("its output can be read"),
        Err(_) => {
            let _ = Command::new("sh").args(["-c", &format!("kill -KILL {pid}")]).status();
            panic!("{} {words:?} does not end", script.display());
        }
    }
}

/// As [`run`]; its standard output without the last line's end. Panics with its complaints if it fails.
pub fn answer(python: &str, script: &Path, words: &[&str]) -> String {
    let output = run(python, script, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Whether this python can do `code`.
pub fn can(python: &str, code: &str) -> bool {
    let quiet = || Stdio::null();
    let mut command = Command::new(python);
    command.args(["-c", code]).stdin(quiet()).stdout(quiet()).stderr(quiet());
    command.status().is_ok_and(|status| status.success())
}

/// Whether this machine lets us make file systems of our own; says so where it does not.
pub fn may_mount() -> bool {
    let script = "mount -t tmpfs none /mnt";
    let words = ["--user", "--map-root-user", "--mount", "sh", "-c", script];
    let can = Command::new("unshare").args(words).stderr(Stdio::null()).status().is_ok_and(|it| it.success());
    if !can {
        eprintln!("skipped: this machine lets nobody make a mount namespace (unshare --user --mount)");
    }
    can
}

/// Whether nothing is forbidden to us.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("every system tells who one is");
    output.stdout == b"0\n"
}
