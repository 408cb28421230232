//! A long look at the disk with its bar: hashing what is to be shared, checking what is there.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::exit::Failure;
use super::human;
use super::screen::{check_line, check_plain};
use super::session::Cadence;
use super::talk::Talk;
use crate::content::Metainfo;
use crate::net::content::{Progress, ScanOptions, Scanned, Stopped, Unchanged, Verdict, scan, verify};

const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Hashes `path`, and warns of what the person should know.
pub async fn hash(
    path: PathBuf,
    options: ScanOptions,
    talk: &Talk,
    stop: &CancellationToken,
) -> Result<Scanned, Failure> {
    let shown = human::path(&path);
    let name = format!("hashing {shown}");
    let scanned = look(&name, talk, stop, move |progress| scan(&path, options, progress)).await??;
    scanned.warnings.iter().for_each(|warning| talk.warn(warning));
    if scanned.unchanged.files > 0 {
        tell_unchanged(shown, scanned.unchanged, talk);
    }
    Ok(scanned)
}

fn tell_unchanged(path: String, unchanged: Unchanged, talk: &Talk) {
    let Unchanged { files, bytes } = unchanged;
    let (counted, size) = (human::counted(files, "file"), human::bytes(bytes));
    talk.say(&format!("taken as unchanged: {counted}, {size} (--rehash reads them again)"));
    talk.event(&Event::Unchanged { path, files, bytes });
}

/// Checks what stands at `path` against `metainfo`.
pub async fn check(
    path: PathBuf,
    metainfo: Arc<Metainfo>,
    talk: &Talk,
    stop: &CancellationToken,
) -> Result<Verdict, Failure> {
    let name = format!("checking {}", human::path(&path));
    look(&name, talk, stop, move |progress| verify(&path, &metainfo, progress)).await?.map_err(Failure::from)
}

/// Does `work` off the async threads and shows how far it is; an error as soon as `stop` is cancelled.
async fn look<T: Send + 'static>(
    name: &str,
    talk: &Talk,
    stop: &CancellationToken,
    work: impl FnOnce(Progress<'_>) -> T + Send + 'static,
) -> Result<T, Failure> {
    let gauge = Arc::new(Gauge::default());
    let (seen, given_up) = (Arc::clone(&gauge), stop.clone());
    let mut task = tokio::task::spawn_blocking(move || {
        work(&|done, total| {
            seen.set(done, total);
            if given_up.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    let mut shown = Shown {
        name,
        talk,
        started: Instant::now(),
        events: Cadence::each_second(),
        lines: Cadence::plain(),
    };
    let mut ticks = interval(DRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    let result = loop {
        tokio::select! {
            done = &mut task => break done,
            () = stop.cancelled() => return Err(Stopped.into()),
            _ = ticks.tick() => shown.show(&gauge),
        }
    };
    talk.screen.clear();
    result.map_err(|error| std::panic::resume_unwind(error.into_panic()))
}

#[derive(Debug, Default)]
struct Gauge {
    done: AtomicU64,
    total: AtomicU64,
}

impl Gauge {
    /// Threads may come late with an older figure: only the largest counts.
    fn set(&self, done: u64, total: u64) {
        self.done.fetch_max(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }
}

struct Shown<'a> {
    name: &'a str,
    talk: &'a Talk,
    started: Instant,
    events: Cadence,
    lines: Cadence,
}

impl Shown<'_> {
    fn show(&mut self, gauge: &Gauge) {
        let (done, total) = (gauge.done.load(Ordering::Relaxed), gauge.total.load(Ordering::Relaxed));
        let now = self.started.elapsed();
        let per_second = u64::try_from(u128::from(done) * 1000 / now.as_millis().max(1)).unwrap_or(u64::MAX);
        let width = self.talk.screen.width();
        self.talk.screen.draw(&[check_line(self.name, done, total, Some(per_second), width)]);
        if self.events.is_due(now) {
            self.talk.event(&Event::Checking { done_bytes: done, total_bytes: total });
        }
        if self.lines.is_due(now) && self.talk.is_plain() {
            self.talk.say(&check_plain(self.name, done, total));
        }
    }
}
