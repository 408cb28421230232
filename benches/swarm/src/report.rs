//! Figures of runs: a line of JSON each, and their medians as a Markdown table.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::contender::is_ours;

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

/// The middle one; the mean of the two in the middle; none of none.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (half, is_even) = (values.len() / 2, values.len().is_multiple_of(2));
    let upper = values.get(half)?;
    Some(if is_even { (values[half - 1] + upper) / 2.0 } else { *upper })
}

/// All verified runs of one contender.
struct Line<'a> {
    contender: &'a str,
    runs: usize,
    verified: Vec<&'a Figures>,
}

impl Line<'_> {
    fn median(&self, value: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        median(self.verified.iter().filter_map(|figures| value(figures)).collect())
    }

    fn wall(&self) -> Option<f64> {
        self.median(|figures| Some(figures.wall_s))
    }

    fn cpu(&self) -> Option<f64> {
        self.median(|figures| Some(figures.cpu_s))
    }
}

/// The medians of one job's runs, a row for each contender in the order of their first run. `of best` compares with the
/// best competitor's median, whoever of them is best in that column.
pub fn table(rows: &[Row]) -> String {
    let Some(figures) = rows.iter().find_map(|row| row.figures.as_ref()) else { return String::new() };
    let lines = lines(rows);
    let mut text = heading(&rows[0], figures);
    if figures.idle_kib.is_some() {
        text += "| contender | resident, idle | backed by no file | verified |\n|---|---|---|---|\n";
        lines.iter().for_each(|line| text += &idle_row(line));
        return text;
    }
    let best = |value: &dyn Fn(&Line<'_>) -> Option<f64>| {
        let competitors = lines.iter().filter(|line| !is_ours(line.contender));
        competitors.filter_map(value).min_by(f64::total_cmp)
    };
    let (best_wall, best_cpu) = (best(&|line| line.wall()), best(&|line| line.cpu()));
    text += "| contender | wall | of best | × bound | CPU | of best | seed's peak | peer's peak | copies sent | verified |\n";
    text += "|---|---|---|---|---|---|---|---|---|---|\n";
    lines.iter().for_each(|line| text += &row(line, best_wall, best_cpu));
    text
}

fn lines(rows: &[Row]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in rows {
        let place = lines.iter().position(|line| line.contender == row.contender).unwrap_or_else(|| {
            lines.push(Line { contender: &row.contender, runs: 0, verified: Vec::new() });
            lines.len() - 1
        });
        lines[place].runs += 1;
        lines[place].verified.extend(&row.figures);
    }
    lines
}

fn heading(row: &Row, figures: &Figures) -> String {
    let size = minibit::console::human::bytes(figures.bytes);
    let delay =
        if figures.delay_ms > 0 { format!(", {} ms one way", figures.delay_ms) } else { String::new() };
    let bound = figures.bound_s.map_or(String::new(), |bound| format!(", bound {bound:.2} s"));
    format!("{}: {size} to {} on {}{delay}{bound}; medians\n\n", row.job, peers(row.peers), row.lab)
}

fn peers(count: u8) -> String {
    minibit::console::human::counted(u64::from(count), "peer")
}

fn row(line: &Line<'_>, best_wall: Option<f64>, best_cpu: Option<f64>) -> String {
    let of = |value: Option<f64>, best: Option<f64>| Some(value? / best?);
    let ratio = line.median(|figures| Some(figures.wall_s / figures.bound_s?));
    let copies = line.median(|figures| Some(float(figures.sent_bytes?) / float(figures.bytes)));
    let cells = [
        cell(line.wall(), 2, " s"),
        cell(of(line.wall(), best_wall), 2, " ×"),
        cell(ratio, 2, " ×"),
        cell(line.cpu(), 2, " s"),
        cell(of(line.cpu(), best_cpu), 2, " ×"),
        cell(line.median(|figures| Some(mib(figures.seed_peak_kib))), 0, " MiB"),
        cell(line.median(|figures| Some(mib(figures.peer_peak_kib))), 0, " MiB"),
        cell(copies, 2, ""),
    ];
    format!("| {} | {} | {}/{} |\n", line.contender, cells.join(" | "), line.verified.len(), line.runs)
}

fn idle_row(line: &Line<'_>) -> String {
    let resident = cell(line.median(|figures| figures.idle_kib.map(mib)), 1, " MiB");
    let anonymous = cell(line.median(|figures| figures.idle_anonymous_kib.map(mib)), 1, " MiB");
    format!("| {} | {resident} | {anonymous} | {}/{} |\n", line.contender, line.verified.len(), line.runs)
}

fn cell(value: Option<f64>, digits: usize, unit: &str) -> String {
    let mut text = String::new();
    match value {
        Some(value) => write!(text, "{value:.digits$}{unit}").unwrap_or(()),
        None => text.push('–'),
    }
    text
}

/// Of KiB.
pub fn mib(kib: u64) -> f64 {
    float(kib) / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(contender: &str, wall_s: f64) -> Row {
        let figures =
            Figures { bytes: 1 << 20, wall_s, cpu_s: 2.0 * wall_s, bound_s: Some(1.0), ..Figures::default() };
        let (job, lab, contender) = ("one".to_owned(), "lo".to_owned(), contender.to_owned());
        Row { job, peers: 1, lab, contender, run: 0, figures: Some(figures), error: None }
    }

    #[test]
    fn the_median_is_the_middle_one_or_between_the_middle_two() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn everyone_is_compared_with_the_best_competitor_and_not_with_us() {
        let rows = [("minibit", 1.0), ("aria2", 4.0), ("rqbit", 2.0), ("minibit", 1.0), ("aria2", 5.0)];
        let text = table(&rows.map(|(contender, wall)| run(contender, wall)));
        let of = |name: &str| text.lines().find(|line| line.contains(name)).unwrap().to_owned();
        assert!(of("minibit").contains("| 1.00 s | 0.50 × | 1.00 × | 2.00 s | 0.50 × |"), "{text}");
        assert!(of("aria2").contains("| 4.50 s | 2.25 × |"), "{text}");
        assert!(of("rqbit").contains("1/1"), "{text}");
    }

    #[test]
    fn a_run_that_was_not_verified_counts_as_a_run_and_has_no_figure() {
        let failed = Row { figures: None, error: Some("wrong bytes".to_owned()), ..run("aria2", 0.1) };
        let text = table(&[run("minibit", 1.0), failed]);
        assert!(text.contains("| aria2 | – | – | – | – | – | – | – | – | 0/1 |"), "{text}");
        assert!(text.contains("| minibit | 1.00 s | – |"), "{text}");
    }

    #[test]
    fn a_row_is_the_same_after_it_was_kept() {
        let row = run("minibit", 1.25);
        assert_eq!(serde_json::from_str::<Row>(&serde_json::to_string(&row).unwrap()).unwrap(), row);
    }
}
