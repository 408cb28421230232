//! A share as lines of a screen: how a download, a seed or a check stands, in at most so many columns.

use std::time::Duration;

use super::line::{Cell, line, lines};
use crate::console::human::{bytes, clock, counted, cut, percent, rate};
use crate::content::{FileIndex, Metainfo, PieceSet};
use crate::seam::{PeerView, ShareView};

/// A download: how far, how fast, how long still, with whom; in two lines where one is too narrow.
pub fn download_lines(name: &str, view: &ShareView, width: usize) -> Vec<String> {
    if !view.prepared {
        return lines(name, &[(0, Cell::Text(waiting_for(view).to_owned()))], width);
    }
    let (done, total) = (view.done_bytes, view.total_bytes);
    let mut cells = vec![
        (3, Cell::Bar(thousandths(done, total))),
        (0, Cell::Text(format!("{:>3}%", percent(done, total)))),
        (4, Cell::Text(format!("{:>8}/{}", bytes(done), bytes(total)))),
        (1, Cell::Text(format!("down {:>10}", rate(view.down_rate)))),
        (6, Cell::Text(format!("up {:>10}", rate(view.up_rate)))),
        (2, Cell::Text(if view.halted { "paused".to_owned() } else { format!("eta {:>5}", eta(view)) })),
        (5, Cell::Text(counted(peer_count(view), "peer"))),
    ];
    if let (Some(metainfo), Some(held)) = (&view.metainfo, &view.held) {
        let pieces = format!("{}/{} pieces", held.count(), metainfo.geometry().piece_count());
        cells.push((7, Cell::Text(pieces)));
    }
    lines(name, &cells, width)
}

/// A seed: with whom, how far each of them is (worst first), what was sent, how many copies there are.
pub fn seed_line(name: &str, view: &ShareView, width: usize) -> String {
    let cells = [
        (0, Cell::Text(counted(peer_count(view), "peer"))),
        (3, Cell::Percents(peer_percents(view))),
        (1, Cell::Text(format!("sent {:>8}", bytes(view.sent_bytes)))),
        (4, Cell::Text(format!("up {:>10}", rate(view.up_rate)))),
        (2, Cell::Text(format!("copies {}.{:02}", view.copies_percent / 100, view.copies_percent % 100))),
    ];
    let empty = |cell: &Cell| matches!(cell, Cell::Percents(list) if list.is_empty());
    let cells: Vec<_> = cells.into_iter().filter(|(_, cell)| !empty(cell)).collect();
    line(name, &cells, width)
}

/// A register without content: with whom.
pub fn register_line(name: &str, view: &ShareView, width: usize) -> String {
    let cells =
        [(0, Cell::Text(counted(peer_count(view), "peer"))), (1, Cell::Percents(peer_percents(view)))];
    line(name, &cells[..if view.metainfo.is_some() { 2 } else { 1 }], width)
}

/// A long look at the disk; `per_second` is its rate so far, where that is known.
pub fn check_line(name: &str, done: u64, total: u64, per_second: Option<u64>, width: usize) -> String {
    let mut cells = vec![
        (1, Cell::Bar(thousandths(done, total))),
        (0, Cell::Text(format!("{:>3}%", percent(done, total)))),
        (3, Cell::Text(format!("{:>8}/{}", bytes(done), bytes(total)))),
    ];
    if let Some(per_second) = per_second {
        let left = Duration::from_secs(total.saturating_sub(done) / per_second.max(1));
        cells.push((2, Cell::Text(format!("{:>10}", rate(per_second)))));
        cells.push((4, Cell::Text(format!("eta {:>5}", clock(left)))));
    }
    line(name, &cells, width)
}

/// Of a share of several files, the one in hand: which of how many, its name, how far it is.
pub fn file_line(view: &ShareView, width: usize) -> Option<String> {
    let (metainfo, held) = (view.metainfo.as_ref()?, view.held.as_ref()?);
    if !view.prepared || view.complete || metainfo.files().len() < 2 {
        return None;
    }
    let (file, has, count) = file_in_hand(metainfo, held)?;
    let head = format!("  file {} of {}  ", file.index() + 1, metainfo.files().len());
    let tail = format!("  {:>3}%", percent(has, count));
    let room = width.checked_sub(head.len() + tail.len())?;
    Some(head + &cut(&metainfo.file(file).path.to_string(), room) + &tail)
}

/// The file that was begun and has the least missing, with its pieces held and in all.
fn file_in_hand(metainfo: &Metainfo, held: &PieceSet) -> Option<(FileIndex, u64, u64)> {
    let geometry = metainfo.geometry();
    let stand = |file| {
        geometry
            .pieces_of(file)
            .fold((0, 0), |(has, count), piece| (has + u64::from(held.contains(piece)), count + 1))
    };
    geometry
        .files()
        .map(|file| (file, stand(file)))
        .filter(|(_, (has, count))| 0 < *has && has < count)
        .min_by_key(|(_, (has, count))| count - has)
        .map(|(file, (has, count))| (file, has, count))
}

/// What a download that has not begun is waiting for.
pub fn waiting_for(view: &ShareView) -> &'static str {
    match (&view.metainfo, view.reached) {
        (_, false) => "waiting for a peer",
        (None, true) => "fetching the description",
        (Some(_), true) => "looking at what is there",
    }
}

fn eta(view: &ShareView) -> String {
    let left = view.total_bytes.saturating_sub(view.done_bytes);
    match view.down_rate {
        0 => "-:--".to_owned(),
        per_second => clock(Duration::from_secs(left.div_ceil(per_second))),
    }
}

/// Those who hold or want content: a tracker without any is none of them.
fn partners(view: &ShareView) -> impl Iterator<Item = &PeerView> {
    view.peers.iter().filter(|peer| !peer.is_tracker || peer.pieces > 0)
}

/// How many are linked, not counting trackers without content.
pub fn peer_count(view: &ShareView) -> u64 {
    partners(view).count() as u64
}

/// How far each peer is, worst first.
pub fn peer_percents(view: &ShareView) -> Vec<u64> {
    let Some(metainfo) = &view.metainfo else { return Vec::new() };
    let count = u64::from(metainfo.geometry().piece_count());
    let mut percents: Vec<u64> = partners(view).map(|peer| percent(u64::from(peer.pieces), count)).collect();
    percents.sort_unstable();
    percents
}

fn thousandths(part: u64, whole: u64) -> u64 {
    if part >= whole {
        1000
    } else {
        u64::try_from(u128::from(part) * 1000 / u128::from(whole)).unwrap_or(1000)
    }
}
