//! Medians of runs as a Markdown table, everyone beside the best competitor.

use std::fmt::Write as _;

use crate::contender::is_ours;
use crate::report::{Figures, Row, float, mib};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::run;

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
}
