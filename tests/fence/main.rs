//! The fence: who may name whom, what the core may not say, and how long things may get. Reads the sources, runs nothing.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

mod code;
mod paths;
mod rules;
mod style;

use std::fmt;
use std::path::{Path, PathBuf};

/// One fault in one place, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    file: String,
    line: usize,
    fault: String,
    remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.fault, self.remedy)
    }
}

/// Every fault of one source file; `file` is its path from the root, with `/`.
fn check(file: &str, text: &str) -> Vec<Finding> {
    let code = code::code_only(text);
    let faults = style::faults(text, &code).into_iter().chain(rules::faults(file, &code));
    faults.map(|(line, fault, remedy)| Finding { file: file.to_owned(), line, fault, remedy }).collect()
}

/// The top-level modules that the map, the `//!` lines of `src/lib.rs`, leaves out.
fn check_map(lib: &str) -> Vec<Finding> {
    let map: Vec<&str> = lib.lines().filter(|line| line.starts_with("//!")).collect();
    let is_named = |module: &str| map.iter().any(|line| line.contains(&format!("`{module}`")));
    let modules = lib.lines().enumerate().filter_map(|(n, line)| {
        let module = line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?;
        (!is_named(module)).then(|| (n + 1, module))
    });
    let finding = |(line, module)| Finding {
        file: "src/lib.rs".into(),
        line,
        fault: format!("the map does not name `{module}`"),
        remedy: "say in the //! lines at the top what it is for".into(),
    };
    modules.map(finding).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_sources_keep_to_the_fence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> = ["src", "tracker", "peer", "benches", "fuzz"]
        .iter()
        .flat_map(|top| sources(&root.join(top)))
        .collect();
    assert!(files.len() > 20, "the sources are not where they were");
    let mut findings = check_map(&std::fs::read_to_string(root.join("src/lib.rs")).unwrap());
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        findings.extend(check(&name, &std::fs::read_to_string(&file).unwrap()));
    }
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "{} faults\n{}\n", lines.len(), lines.join("\n"));
}

#[test]
fn a_release_checks_its_sums() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let (_, release) = manifest.split_once("[profile.release]").unwrap();
    let release = release.split("\n[").next().unwrap();
    assert!(
        release.lines().any(|line| line == "overflow-checks = true"),
        "a length that wraps must be a panic"
    );
}

mod of_the_fence;
