//! Watches the pace of what arrives: tells the core of life inside long messages, and gives up on those that crawl.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Report;
use super::reader::Stop;
use super::source::Source;
use crate::ids::LinkId;
use crate::net::pool::Pool;
use crate::seam::Event;

/// How often life is told of at most.
const TICK: Duration = Duration::from_secs(1);
/// How fast a message under way must have come, on average, once it has an age.
#[derive(Clone, Copy, Debug)]
struct Pace {
    age: Duration,
    bytes_a_second: u64,
}

/// As `wire.md` says under Life and death.
const PACE: Pace = Pace { age: Duration::from_secs(20), bytes_a_second: 1024 };
/// While the pool is scarce: some crawling payloads of 1 MiB would keep it from everybody else. An honest message is asked
/// for so that it takes about 2 s.
const PACE_WHEN_SCARCE: Pace = Pace { age: Duration::from_secs(5), bytes_a_second: 32 * 1024 };

/// The watch over one link's incoming bytes.
#[derive(Debug)]
pub(super) struct Vigil {
    link: LinkId,
    inbox: mpsc::Sender<Report>,
    pool: Pool,
    ticks: Interval,
    /// When the message under way began, moved forward by the time that we did not read.
    began: Option<Instant>,
    bytes: u64,
    /// Whether bytes came of which the core heard nothing yet.
    is_fresh: bool,
}

impl Vigil {
    pub(super) fn new(link: LinkId, inbox: mpsc::Sender<Report>, pool: Pool) -> Vigil {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Vigil { link, inbox, pool, ticks, began: None, bytes: 0, is_fresh: false }
    }

    /// Tells the core.
    pub(super) async fn post(&mut self, report: impl Into<Report>) -> Result<(), Stop> {
        self.is_fresh = false;
        self.inbox.send(report.into()).await.map_err(|_| Stop::Gone)
    }

    /// A message is whole; so many bytes of the next one are here already.
    pub(super) fn message_ended(&mut self, held_bytes: usize) {
        self.began = (held_bytes > 0).then(Instant::now);
        self.bytes = held_bytes as u64;
    }

    /// Reads some bytes, at least one; what is there already once a tick, so that the pace is that of the line.
    pub(super) async fn read(&mut self, source: &mut impl Source, into: &mut [u8]) -> Result<usize, Stop> {
        loop {
            tokio::select! {
                biased;
                read = source.read(into) => return self.arrived(read.unwrap_or(0)),
                _ = self.ticks.tick() => {
                    self.tick().await?;
                    source.hurry();
                }
            }
        }
    }

    /// Waits for what is ours to give: the other side is not to blame meanwhile, nor silent.
    pub(super) async fn excuse<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Stop> {
        let since = Instant::now();
        let mut wait = pin!(wait);
        let given = loop {
            tokio::select! {
                biased;
                given = &mut wait => break given,
                _ = self.ticks.tick() => self.post(Event::Alive { link: self.link }).await?,
            }
        };
        self.began = self.began.map(|began| began + since.elapsed());
        Ok(given)
    }

    fn arrived(&mut self, count: usize) -> Result<usize, Stop> {
        if count == 0 {
            return Err(Stop::Gone);
        }
        self.began.get_or_insert_with(Instant::now);
        self.bytes += count as u64;
        self.is_fresh = true;
        Ok(count)
    }

    async fn tick(&mut self) -> Result<(), Stop> {
        let age = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let pace = if self.pool.is_scarce() { PACE_WHEN_SCARCE } else { PACE };
        if age >= pace.age && self.bytes < age.as_secs() * pace.bytes_a_second {
            return Err(Stop::Gone);
        }
        if self.is_fresh {
            self.post(Event::Alive { link: self.link }).await?;
        }
        Ok(())
    }
}
