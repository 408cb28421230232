//! Completion time over the number of peers, beside the bound, as an SVG of its own.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Context;
use serde_json::Value;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
/// Room for the axes and the legend.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 52.0;
/// A line without gaps.
const SOLID: &str = "none";
const COLOURS: [&str; 4] = ["#1f6fb4", "#c2571a", "#2f8f4e", "#7b4fa3"];

/// Seconds by the number of peers; a later run of the same number counts.
type Line = BTreeMap<u64, f64>;

/// What the runs of one goal came to.
#[derive(Debug, Default)]
struct Series {
    last: Line,
    median: Line,
    bound: Line,
}

/// Where numbers lie on the paper.
struct Scale {
    peers: (f64, f64),
    seconds: f64,
}

impl Scale {
    fn x(&self, peers: u64) -> f64 {
        let (least, most) = self.peers;
        let share = ((peers as f64).log2() - least) / (most - least).max(f64::EPSILON);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, seconds: f64) -> f64 {
        HEIGHT - BOTTOM - seconds / self.seconds * (HEIGHT - TOP - BOTTOM)
    }
}

/// Draws the runs that `lines` tell of, one of JSON each, as `run --json` writes them; all of one size of content.
pub fn draw(lines: &str) -> anyhow::Result<String> {
    let (mib, goals) = read(lines)?;
    let all = || goals.values().flat_map(|it| [&it.last, &it.median, &it.bound]).flatten();
    let most = all().map(|(_, seconds)| *seconds).fold(0.0, f64::max);
    let peers: Vec<u64> = all().map(|(peers, _)| *peers).collect();
    let (least_peers, most_peers) = (peers.iter().min(), peers.iter().max());
    let (Some(least_peers), Some(most_peers)) = (least_peers, most_peers) else {
        anyhow::bail!("no complete run to draw");
    };
    let step = step(most);
    let scale = Scale {
        peers: ((*least_peers as f64).log2(), (*most_peers as f64).log2()),
        seconds: (most / step).ceil() * step,
    };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    axes(&mut svg, &scale, step, peers, &format!("peers, of whom each gets {mib} MiB"));
    for ((goal, series), colour) in goals.iter().zip(COLOURS.iter().cycle()) {
        line(&mut svg, &scale, &series.last, colour, SOLID);
        line(&mut svg, &scale, &series.median, colour, "6 4");
        line(&mut svg, &scale, &series.bound, "#333", "2 3");
        let _ = writeln!(svg, "<!-- {goal} in {colour} -->");
    }
    legend(&mut svg, goals.keys());
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// The size of the content in MiB, and what the runs of each goal came to.
fn read(lines: &str) -> anyhow::Result<(u64, BTreeMap<String, Series>)> {
    let mut size = None;
    let mut goals: BTreeMap<String, Series> = BTreeMap::new();
    for (number, text) in lines.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let row: Value = serde_json::from_str(text).with_context(|| format!("line {}", number + 1))?;
        let (Some(peers), Some(goal)) = (row["n"].as_u64(), row["goal"].as_str()) else { continue };
        let (Some(last), Some(median), Some(bound)) =
            (row["last"].as_f64(), row["median"].as_f64(), row["bound"].as_f64())
        else {
            continue;
        };
        let mib = row["mib"].as_u64().context("a run without the size of its content: play it again")?;
        let other = *size.get_or_insert(mib);
        anyhow::ensure!(other == mib, "runs of {other} and of {mib} MiB: keep a file for each size");
        let series = goals.entry(goal.to_owned()).or_default();
        series.last.insert(peers, last);
        series.median.insert(peers, median);
        series.bound.insert(peers, bound);
    }
    Ok((size.unwrap_or(0), goals))
}

/// A round step that makes about six lines.
fn step(most: f64) -> f64 {
    let rough = (most / 6.0).max(1e-3);
    let decade = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|step| step * decade).into_iter().find(|step| *step >= rough).unwrap_or(rough)
}

fn axes(svg: &mut String, scale: &Scale, step: f64, mut peers: Vec<u64>, title: &str) {
    let mut seconds = 0.0;
    while seconds <= scale.seconds + step / 2.0 {
        let (y, end, label) = (scale.y(seconds), WIDTH - RIGHT, LEFT - 8.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{end}\" stroke=\"#ddd\"/><text x=\"{label}\" y=\"{:.1}\" text-anchor=\"end\">{seconds}\
             </text>",
            y + 4.0,
        );
        seconds += step;
    }
    peers.sort_unstable();
    peers.dedup();
    for count in peers {
        let (x, y) = (scale.x(count), HEIGHT - BOTTOM + 18.0);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{count}</text>");
    }
    let (middle, foot) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0);
    let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{foot}\" text-anchor=\"middle\">{title}</text>");
    let across = (TOP + HEIGHT - BOTTOM) / 2.0;
    let _ = writeln!(
        svg,
        "<text x=\"16\" y=\"{across}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {across})\">seconds</text>"
    );
}

fn line(svg: &mut String, scale: &Scale, points: &Line, colour: &str, dashes: &str) {
    let places: Vec<String> = points
        .iter()
        .map(|(peers, seconds)| format!("{:.1} {:.1}", scale.x(*peers), scale.y(*seconds)))
        .collect();
    let _ = writeln!(
        svg,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
        places.join("L")
    );
    for place in places.iter().filter(|_| dashes == SOLID) {
        let _ = writeln!(
            svg,
            "<path d=\"M{place}h0\" stroke=\"{colour}\" stroke-width=\"7\" stroke-linecap=\"round\"/>"
        );
    }
}

fn legend<'a>(svg: &mut String, goals: impl Iterator<Item = &'a String>) {
    let mut entries: Vec<(String, &str, &str)> = Vec::new();
    for (goal, colour) in goals.zip(COLOURS.iter().cycle()) {
        entries.push((format!("last peer, {goal}"), colour, SOLID));
        entries.push((format!("median, {goal}"), colour, "6 4"));
    }
    entries.push(("the bound".to_owned(), "#333", "2 3"));
    for (place, (text, colour, dashes)) in entries.into_iter().enumerate() {
        let x = LEFT + 220.0 * (place / 2) as f64;
        let y = 20.0 + 20.0 * (place % 2) as f64;
        let (end, label, base) = (x + 30.0, x + 38.0, y + 4.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{x} {y}H{end}\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>\
             <text x=\"{label}\" y=\"{base}\">{text}</text>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = r#"{"n":8,"mib":64,"goal":"reciprocal","last":15.0,"median":14.0,"bound":10.0}
{"n":1000,"mib":64,"goal":"reciprocal","last":20.0,"median":18.0,"bound":10.0}
{"n":50,"mib":64,"goal":"reciprocal","last":null,"median":null,"bound":10.0}"#;

    #[test]
    fn runs_are_drawn_and_those_that_never_ended_are_left_out() {
        let svg = draw(RUNS).unwrap();
        assert!(svg.contains(">1000</text>") && !svg.contains(">50</text>"), "{svg}");
        assert!(svg.contains(&format!("M{LEFT:.1} ")), "the fewest peers stand at the left: {svg}");
        assert!(draw("").is_err());
    }

    #[test]
    fn runs_of_different_sizes_are_not_drawn_as_one() {
        let svg = draw(RUNS).unwrap();
        assert!(svg.contains("64 MiB"), "{svg}");
        let mixed = RUNS.replacen("\"mib\":64", "\"mib\":512", 1);
        assert!(draw(&mixed).is_err() && draw(&RUNS.replace("\"mib\":64,", "")).is_err());
    }
}
