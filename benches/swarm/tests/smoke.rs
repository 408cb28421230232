//! The bench command from beginning to end, as small as it can be: minibit alone, one peer, one mebibyte, on loopback.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of minibit's programs, which are built if they are not there yet.
fn programs() -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_minibit-bench")).parent().unwrap().to_owned();
    if !(folder.join("minibit-tracker").exists() && folder.join("minibit-peer").exists()) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-q", "-p", "minibit-tracker", "-p", "minibit-peer"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "minibit's programs cannot be built");
    }
    folder
}

#[test]
fn one_verified_run_is_one_row_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("runs.jsonl");
    let scratch = place.path().join("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let mut bench = Command::new(env!("CARGO_BIN_EXE_minibit-bench"));
    bench.args("swarm --job one --lab lo --bytes 1MiB --runs 1 --contenders minibit --timeout 60".split(' '));
    bench.arg("--dir").arg(&scratch).arg("--out").arg(&out).arg("--programs").arg(programs());
    let output = bench.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.contains("| minibit |") && table.contains("| 1/1 |"), "{table}");
    let row: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!((&row["contender"], &row["figures"]["bytes"]), (&"minibit".into(), &(1 << 20).into()));
    assert!(row["figures"]["wall_s"].as_f64().unwrap() > 0.0);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}
