//! What a session tells a person and a program as it goes on.

use std::collections::VecDeque;
use std::time::Duration;

use super::watcher::Download;
use crate::console::event::Event;
use crate::console::talk::Talk;
use crate::console::{human, publish, screen};
use crate::content::{Metainfo, names};
use crate::ids::Endpoint;
use crate::seam::{News, ShareView};

/// Troubles that are remembered, so that the same is not told again and again.
const TOLD_MAX: usize = 64;

/// What was told already.
#[derive(Debug, Default)]
pub struct Report {
    told: VecDeque<String>,
}

impl Report {
    /// The description of a download is known.
    pub fn begun(&self, metainfo: &Metainfo, endpoints: &[Endpoint], talk: &Talk) {
        talk.event(&publish::share_event(metainfo, endpoints));
        let geometry = metainfo.geometry();
        let files = human::counted(geometry.file_count() as u64, "file");
        let pieces = human::counted(geometry.piece_count().into(), "piece");
        talk.say(&format!(
            "{}: {}, {files}, {pieces}",
            metainfo.name(),
            human::bytes(geometry.total_bytes())
        ));
        let paths = metainfo.files().iter().map(|file| &file.path).chain(metainfo.empty_folders());
        let hidden = names::hidden(paths);
        if !hidden.is_empty() {
            talk.warn(&format!("hidden, or obeyed by programs unasked: {}", hidden.join(", ")));
        }
    }

    /// Everything wanted is in its place.
    pub fn complete(&self, view: &ShareView, download: &Download, after: Duration, talk: &Talk) {
        let name = view.metainfo.as_ref().map(|metainfo| metainfo.name().to_string()).unwrap_or_default();
        let path = format!("{}/{name}", human::path(&download.dir).trim_end_matches('/'));
        talk.event(&Event::Complete {
            share: view.share.to_string(),
            path: path.clone(),
            bytes: view.total_bytes,
            seconds: after.as_secs_f64(),
            from_seed_bytes: view.from_seed_bytes,
            from_peer_bytes: view.from_peer_bytes,
            wasted_bytes: view.wasted_bytes,
        });
        talk.result(&match download.mended_files {
            Some(files) => mended(view, &path, files, after),
            None => summary(view, &path, after),
        });
    }

    /// How every share stands.
    pub fn progress(&self, views: &[ShareView], checking: Option<(u64, u64)>, talk: &Talk) {
        if let Some((done_bytes, total_bytes)) = checking {
            talk.event(&Event::Checking { done_bytes, total_bytes });
        }
        for view in views {
            talk.event(&Event::Progress {
                share: view.share.to_string(),
                done_bytes: view.done_bytes,
                total_bytes: view.total_bytes,
                sent_bytes: view.sent_bytes,
                down_rate: view.down_rate,
                up_rate: view.up_rate,
                peers: usize::try_from(screen::peer_count(view)).unwrap_or(usize::MAX),
            });
        }
    }

    /// Something happened. The same trouble is told once, or each time to those who asked for more.
    pub fn news(&mut self, news: &News, talk: &Talk) {
        match news {
            News::Peer { id, address, state, .. } => {
                talk.event(&Event::Peer { id: id.to_string(), addr: address.to_string(), state });
                talk.detail(&format!("peer {id:?} at {address}: {state}"));
            }
            News::Banned { id, address, reason, .. } => {
                let reason = human::sentence(reason);
                talk.say(&format!("banned peer {id:?} at {address}: {reason}"));
                talk.event(&Event::Banned { peer: id.to_string(), reason });
            }
            News::Trouble { text, .. } => {
                let text = human::sentence(text);
                if self.is_new(&text) {
                    talk.warn(&text);
                } else {
                    talk.detail(&text);
                }
            }
        }
    }

    fn is_new(&mut self, text: &str) -> bool {
        if self.told.iter().any(|told| told == text) {
            return false;
        }
        self.told.push_back(text.to_owned());
        if self.told.len() > TOLD_MAX {
            self.told.pop_front();
        }
        true
    }
}

fn mended(view: &ShareView, path: &str, files: u64, after: Duration) -> String {
    let fetched = view.from_seed_bytes.saturating_add(view.from_peer_bytes);
    let (files, fetched) = (human::counted(files, "file"), human::bytes(fetched));
    format!("mended {files} of {path}: {fetched} fetched in {}", human::span(after))
}

fn summary(view: &ShareView, path: &str, after: Duration) -> String {
    let received = view.from_seed_bytes.saturating_add(view.from_peer_bytes);
    if received == 0 {
        return format!(
            "complete: {path}\n  {}, all of it was there already",
            human::bytes(view.total_bytes)
        );
    }
    let total = human::bytes(view.total_bytes);
    let got =
        if received < view.total_bytes { format!("{} of {total}", human::bytes(received)) } else { total };
    let millis = after.as_millis().max(1);
    let average = u64::try_from(u128::from(received) * 1000 / millis).unwrap_or(u64::MAX);
    format!(
        "complete: {path}\n  {got} in {} ({})\n  from seeds {}, from peers {}, wasted {}",
        human::span(after),
        human::rate(average),
        human::bytes(view.from_seed_bytes),
        human::bytes(view.from_peer_bytes),
        human::bytes(view.wasted_bytes),
    )
}
