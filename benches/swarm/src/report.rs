//! Figures of runs: what was measured, and a line of JSON for each.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::job::Shape;
use crate::table::table;

/// What was measured in one run whose every byte was verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Of the content.
    pub bytes: u64,
    /// From the first peer's start until the last one was done.
    pub wall_s: f64,
    /// Until the first one was.
    pub first_s: f64,
    /// User and system, of all: the seed's in that time, the peers' whole lives.
    pub cpu_s: f64,
    /// Of these, the seed's.
    pub seed_cpu_s: f64,
    /// Of all that the machine could do in that time, what others did.
    pub foreign_part: f64,
    /// Most ever resident, mapped files included.
    pub seed_peak_kib: u64,
    /// Most seen resident that no file backs.
    pub seed_anonymous_kib: u64,
    /// Of the peer that had most.
    pub peer_peak_kib: u64,
    /// Of the peer that had most.
    pub peer_anonymous_kib: u64,
    /// What left the seed's interface, frames and all; unknown on loopback.
    pub sent_bytes: Option<u64>,
    /// What the lines had, which is none where the kernel has no netem.
    pub delay_ms: u32,
    /// The least time that the lines allow.
    pub bound_s: Option<f64>,
    /// Of a seed that nobody asks.
    pub idle_kib: Option<u64>,
    /// Of these, backed by no file.
    pub idle_anonymous_kib: Option<u64>,
}

/// One run, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which job.
    pub job: String,
    /// How many got it.
    pub peers: u8,
    /// `lo` or `ns`.
    pub lab: String,
    /// What lines were asked for; none = as fast as the machine goes.
    #[serde(default)]
    pub shape: Option<Shape>,
    /// Whose run.
    pub contender: String,
    /// Which of its runs.
    pub run: u32,
    /// None = the run failed or was not verified.
    pub figures: Option<Figures>,
    /// Why.
    pub error: Option<String>,
}

/// Appends a run to a file.
pub fn append(file: &Path, row: &Row) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    Ok(writeln!(file, "{}", serde_json::to_string(row)?)?)
}

/// Prints the tables of all jobs in these files.
pub fn command(files: &[PathBuf]) -> Result<()> {
    let mut rows: Vec<Row> = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            rows.push(
                serde_json::from_str(line).with_context(|| format!("not a run in {}", file.display()))?,
            );
        }
    }
    let mut seen = Vec::new();
    for row in &rows {
        let kind = (row.job.clone(), row.peers, row.lab.clone(), row.figures.as_ref().map_or(0, |f| f.bytes));
        if row.figures.is_some() && !seen.contains(&kind) {
            let bytes = |row: &Row| row.figures.as_ref().map_or(kind.3, |figures| figures.bytes);
            let same = |row: &&Row| {
                (&row.job, row.peers, &row.lab, bytes(row)) == (&kind.0, kind.1, &kind.2, kind.3)
            };
            println!("{}", table(&rows.iter().filter(same).cloned().collect::<Vec<_>>()));
            seen.push(kind);
        }
    }
    Ok(())
}

/// Of KiB.
pub fn mib(kib: u64) -> f64 {
    float(kib) / 1024.0
}

/// A number as people read it.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A verified run that took so long.
    pub fn run(contender: &str, wall_s: f64) -> Row {
        let figures =
            Figures { bytes: 1 << 20, wall_s, cpu_s: 2.0 * wall_s, bound_s: Some(1.0), ..Figures::default() };
        let (job, lab, contender) = ("one".to_owned(), "lo".to_owned(), contender.to_owned());
        Row { job, peers: 1, lab, shape: None, contender, run: 0, figures: Some(figures), error: None }
    }

    #[test]
    fn a_row_is_the_same_after_it_was_kept() {
        let row = run("minibit", 1.25);
        assert_eq!(serde_json::from_str::<Row>(&serde_json::to_string(&row).unwrap()).unwrap(), row);
    }
}
