//! The peers' bars, one below the other; plain lines where there is no terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use minibit::console::human;
use serde_json::Value;

/// How one bar looks: name, bar, share of the whole, what it does.
const TEMPLATE: &str = "  {prefix:7} {bar:28.cyan/blue} {percent:>3} %  {msg}";

/// A bar for each peer.
pub struct Bars {
    bars: Vec<ProgressBar>,
    on_terminal: bool,
    _together: MultiProgress,
}

impl Bars {
    /// `count` bars of `total_bytes`.
    pub fn new(count: usize, total_bytes: u64) -> Bars {
        let together = MultiProgress::new();
        let style = ProgressStyle::with_template(TEMPLATE).expect("the template is a constant");
        let bar = |number: usize| {
            let bar = together.add(ProgressBar::new(total_bytes)).with_style(style.clone());
            bar.set_prefix(format!("peer {}", number + 1));
            bar.set_message("joining");
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        };
        let bars = (0..count).map(bar).collect();
        Bars { bars, on_terminal: std::io::stderr().is_terminal(), _together: together }
    }

    /// Shows a `progress` event; true if there is more than before.
    pub fn progress(&self, number: usize, event: &Value) -> bool {
        let figure = |key: &str| event[key].as_u64().unwrap_or(0);
        let (bar, done) = (&self.bars[number], figure("done_bytes"));
        if bar.is_finished() {
            return false;
        }
        let (down, up) = (human::rate(figure("down_rate")), human::rate(figure("up_rate")));
        let further = done > bar.position();
        bar.set_position(done);
        bar.set_message(format!("down {down}, up {up}"));
        if !self.on_terminal {
            let total = bar.length().unwrap_or(0);
            eprintln!("peer {}: {} %, down {down}, up {up}", number + 1, human::percent(done, total));
        }
        further
    }

    /// Shows a `complete` event.
    pub fn complete(&self, number: usize, event: &Value) {
        let message = format!("complete after {:.1} s", event["seconds"].as_f64().unwrap_or(0.0));
        if !self.on_terminal {
            eprintln!("peer {}: {message}", number + 1);
        }
        let bar = &self.bars[number];
        bar.set_position(bar.length().unwrap_or(0));
        bar.abandon_with_message(message);
    }

    /// Leaves the bars as they stand.
    pub fn finish(&self) {
        self.bars.iter().filter(|bar| !bar.is_finished()).for_each(ProgressBar::abandon);
    }
}
