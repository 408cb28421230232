//! The model beside measurements of real processes on real, shaped networks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::outcome::play;
use crate::scenario::{Aim, Scenario};

/// Stories played for each measurement; their median counts.
const STORIES: u64 = 3;

/// What was measured: ordered by what was shaped, numbers as they were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Case {
    contender: String,
    peers: usize,
    up: String,
    down: String,
    seed_up: Option<String>,
    delay: String,
    mib: u64,
    aim: &'static str,
}

#[derive(Clone, Debug, Default)]
struct Measured {
    ratios: Vec<f64>,
    copies: Vec<f64>,
}

/// Plays what the lines of `path` tell of, and prints the model's error. Lines of other contenders than those whose name
/// contains `contender`, of failed runs and of unshaped networks are passed over.
pub fn validate(path: &Path, contender: &str, scenario: &Scenario) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let cases = cases(&text, contender).with_context(|| format!("{} is not as expected", path.display()))?;
    anyhow::ensure!(
        !cases.is_empty(),
        "{} has no shaped run of a contender like '{contender}'",
        path.display()
    );
    let mut table = String::from(
        "| contender | peers | up, down, seed Mbit/s | delay ms | MiB | goal | runs | measured × bound | model | error \
         | measured copies | model | error |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for (case, measured) in cases {
        let (ratio, copies) = model(&case, scenario)?;
        let (was, sent) = (median(&measured.ratios), median(&measured.copies));
        let seed_up = case.seed_up.as_ref().unwrap_or(&case.up);
        let _ = writeln!(
            table,
            "| {} | {} | {}, {}, {seed_up} | {} | {} | {} | {} | {was:.3} | {ratio:.3} | {} | {} | {copies:.2} | {} |",
            case.contender,
            case.peers,
            case.up,
            case.down,
            case.delay,
            case.mib,
            case.aim,
            measured.ratios.len(),
            error(ratio, was),
            if sent.is_nan() { "–".to_owned() } else { format!("{sent:.2}") },
            error(copies, sent),
        );
    }
    Ok(table)
}

fn cases(text: &str, contender: &str) -> anyhow::Result<BTreeMap<Case, Measured>> {
    let mut cases: BTreeMap<Case, Measured> = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row: Value = serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
        let row = of_bench(&row).unwrap_or(row);
        let name = row["contender"].as_str().unwrap_or("minibit");
        let Some((case, ratio)) = case(&row, name).filter(|_| name.contains(contender)) else { continue };
        let measured = cases.entry(case).or_default();
        measured.ratios.push(ratio);
        measured.copies.extend(row["seed_copies"].as_f64());
    }
    Ok(cases)
}

/// The same of a line that `minibit-bench` wrote: its figures, or a failed run.
fn of_bench(row: &Value) -> Option<Value> {
    let (shape, figures) = (row.get("shape")?, row.get("figures")?);
    let part = |what: &str, of: &str| Some(figures[what].as_f64()? / figures[of].as_f64()?);
    Some(json!({
        "contender": row["contender"],
        "n": row["peers"],
        "up": shape["peer_up"],
        "down": shape["down"],
        "seed_up": shape["seed_up"],
        "delay": figures["delay_ms"],
        "bytes": figures["bytes"],
        "ratio": part("wall_s", "bound_s"),
        "seed_copies": part("sent_bytes", "bytes"),
    }))
}

/// What a line tells of; none where the run failed or the network was not shaped.
fn case(row: &Value, contender: &str) -> Option<(Case, f64)> {
    let number = |key: &str| row[key].as_f64().map(|number| number.to_string());
    if row["ok"].as_bool() == Some(false) {
        return None;
    }
    let bytes = row["bytes"].as_u64().or_else(|| row["req_bytes"].as_u64()).unwrap_or(64 << 20);
    let is_last_peer = contender.contains("last") || row["goal"].as_str() == Some("last-peer");
    let case = Case {
        contender: contender.to_owned(),
        peers: usize::try_from(row["n"].as_u64()?).ok()?,
        up: number("up")?,
        down: number("down")?,
        seed_up: number("seed_up"),
        delay: number("delay").unwrap_or_else(|| "0".to_owned()),
        mib: bytes >> 20,
        aim: if is_last_peer { Aim::LastPeer.name() } else { Aim::Reciprocal.name() },
    };
    Some((case, row["ratio"].as_f64()?))
}

/// The median of some stories: how many times the bound, and the copies on the seed's wire.
fn model(case: &Case, scenario: &Scenario) -> anyhow::Result<(f64, f64)> {
    let (mut ratios, mut copies) = (Vec::new(), Vec::new());
    for story in 0..STORIES {
        let played = Scenario {
            mib: case.mib,
            up: vec![case.up.parse()?],
            down: vec![case.down.parse()?],
            seed_up: case.seed_up.as_deref().map(str::parse).transpose()?,
            delay: case.delay.parse()?,
            goal: if case.aim == Aim::LastPeer.name() { Aim::LastPeer } else { Aim::Reciprocal },
            seed: scenario.seed + story,
            ..scenario.clone()
        };
        let outcome = play(&played, case.peers)?;
        ratios.push(outcome.ratio());
        copies.push(outcome.seed_copies.1);
    }
    Ok((median(&ratios), median(&copies)))
}

/// Of what was not measured there is none.
fn error(model: f64, measured: f64) -> String {
    if measured.is_nan() { "–".to_owned() } else { format!("{:+.1} %", 100.0 * (model / measured - 1.0)) }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_kind_are_one_case_and_what_failed_or_was_not_shaped_is_none() {
        let shaped = r#"{"contender":"minibit","n":8,"up":50.0,"down":50.0,"seed_up":null,"delay":20.0,"bytes":67108864,"#;
        let text = format!(
            "{shaped}\"ratio\":1.5,\"seed_copies\":1.4,\"ok\":true}}\n\n{shaped}\"ratio\":1.6,\"seed_copies\":1.5}}\n\
             {shaped}\"ok\":false}}\n{{\"contender\":\"minibit\",\"n\":4,\"up\":null,\"ok\":true}}\n"
        );
        let cases = cases(&text, "mini").unwrap();
        let (case, measured) = cases.first_key_value().unwrap();
        assert_eq!((cases.len(), case.peers, case.mib, case.aim), (1, 8, 64, "reciprocal"));
        assert_eq!(measured.ratios, [1.5, 1.6]);
        assert!(super::cases(&text, "rqbit").unwrap().is_empty());
        let shape = r#""shape":{"seed_up":50.0,"peer_up":10.0,"down":50.0,"delay_ms":20}"#;
        let figures =
            r#"{"bytes":67108864,"wall_s":15.0,"bound_s":10.0,"sent_bytes":134217728,"delay_ms":0}"#;
        let line =
            |figures| format!(r#"{{"contender":"minibit-last-peer","peers":8,{shape},"figures":{figures}}}"#);
        let cases = super::cases(&format!("{}\n{}\n", line(figures), line("null")), "mini").unwrap();
        let (case, measured) = cases.first_key_value().unwrap();
        assert_eq!((case.peers, case.mib, case.aim, case.up.as_str()), (8, 64, "last-peer", "10"));
        assert_eq!((&measured.ratios[..], &measured.copies[..]), (&[1.5][..], &[2.0][..]));
        assert!(super::cases("no json", "").is_err());
    }
}
