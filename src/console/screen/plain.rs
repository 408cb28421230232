//! A share as one compact line for a log: no bar, no padding, nothing cut.

use std::time::Duration;

use super::share::{peer_count, peer_percents, waiting_for};
use crate::console::human::{about, bytes, counted, percent, rate};
use crate::seam::ShareView;

/// The most percents of a line; how many more there are is said.
const PERCENTS_MAX: usize = 8;

/// A download: how far, how fast, with whom, how long still.
pub fn download_plain(name: &str, view: &ShareView) -> String {
    if !view.prepared {
        return format!("{name}: {}", waiting_for(view));
    }
    let (done, total) = (view.done_bytes, view.total_bytes);
    let left = total.saturating_sub(done);
    let eta = match view.down_rate {
        0 => "unknown".to_owned(),
        per_second => about(Duration::from_secs(left.div_ceil(per_second))),
    };
    format!(
        "{name}: {} %, {} of {}, down {}, up {}, {}, ETA {eta}",
        percent(done, total),
        bytes(done),
        bytes(total),
        rate(view.down_rate),
        rate(view.up_rate),
        counted(peer_count(view), "peer"),
    )
}

/// A seed: with whom, how far each of them is (worst first), what was sent, how many copies there are.
pub fn seed_plain(name: &str, view: &ShareView) -> String {
    format!(
        "{}, sent {}, up {}, {}.{:02} copies",
        register_plain(name, view),
        bytes(view.sent_bytes),
        rate(view.up_rate),
        view.copies_percent / 100,
        view.copies_percent % 100,
    )
}

/// A register without content: with whom, and how far each of them is, worst first.
pub fn register_plain(name: &str, view: &ShareView) -> String {
    let percents = peer_percents(view);
    let mut words: Vec<String> =
        percents.iter().take(PERCENTS_MAX).map(|percent| format!("{percent} %")).collect();
    if percents.len() > PERCENTS_MAX {
        words.push(format!("{} more", percents.len() - PERCENTS_MAX));
    }
    let listed = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
    format!("{name}: {}{listed}", counted(peer_count(view), "peer"))
}

/// A long look at the disk.
pub fn check_plain(name: &str, done: u64, total: u64) -> String {
    format!("{name}: {} %", percent(done, total))
}
