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

/// As `wire.md` says under Links.
const PACE: Pace = Pace { age: Duration::from_secs(20), bytes_a_second: 1024 };
/// While the pool is scarce: some crawling payloads of 1 MiB would keep it from everybody else. An honest one is asked for
/// so that it takes a small part of a second.
const PACE_WHEN_SCARCE: Pace = Pace { age: Duration::from_secs(5), bytes_a_second: 32 * 1024 };
/// Then, too, a payload must come so fast that all of it takes no longer.
const PAYLOAD_SECONDS_WHEN_SCARCE: u64 = 8;

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
    /// Of the payload under way, if it is one.
    payload_bytes: u64,
    /// Whether bytes came of which the core heard nothing yet.
    is_fresh: bool,
    /// Whether the pace is to be judged with the next bytes that come, or without any at the next tick.
    is_to_judge: bool,
}

impl Vigil {
    pub(super) fn new(link: LinkId, inbox: mpsc::Sender<Report>, pool: Pool) -> Vigil {
        let mut ticks = interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Vigil {
            link,
            inbox,
            pool,
            ticks,
            began: None,
            bytes: 0,
            payload_bytes: 0,
            is_fresh: false,
            is_to_judge: false,
        }
    }

    /// Tells the core.
    pub(super) async fn post(&mut self, report: impl Into<Report>) -> Result<(), Stop> {
        self.is_fresh = false;
        self.inbox.send(report.into()).await.map_err(|_| Stop::Gone)
    }

    /// What comes next is a payload of so many bytes.
    pub(super) fn payload_begins(&mut self, payload_bytes: u32) {
        self.payload_bytes = payload_bytes.into();
    }

    /// A message is whole; so many bytes of the next one are here already.
    pub(super) fn message_ended(&mut self, held_bytes: usize) {
        self.began = (held_bytes > 0).then(Instant::now);
        self.bytes = held_bytes as u64;
        self.payload_bytes = 0;
    }

    /// Reads some bytes, at least one. Once a tick what is there already, since the system may hold it back from us: only
    /// then the pace is that of the line, and is judged.
    pub(super) async fn read(&mut self, source: &mut impl Source, into: &mut [u8]) -> Result<usize, Stop> {
        loop {
            tokio::select! {
                biased;
                read = source.read(into) => return self.arrived(read.unwrap_or(0), into.len()),
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

    fn arrived(&mut self, count: usize, room: usize) -> Result<usize, Stop> {
        if count == 0 {
            return Err(Stop::Gone);
        }
        self.began.get_or_insert_with(Instant::now);
        self.bytes += count as u64;
        self.is_fresh = true;
        // What filled its room may have more behind it.
        if self.is_to_judge && count < room {
            self.judge()?;
        }
        Ok(count)
    }

    async fn tick(&mut self) -> Result<(), Stop> {
        if std::mem::replace(&mut self.is_to_judge, true) {
            self.judge()?;
            self.is_to_judge = true;
        }
        if self.is_fresh {
            self.post(Event::Alive { link: self.link }).await?;
        }
        Ok(())
    }

    fn judge(&mut self) -> Result<(), Stop> {
        self.is_to_judge = false;
        let age = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        let pace = self.pace();
        let is_slow = age >= pace.age && self.bytes < age.as_secs() * pace.bytes_a_second;
        if is_slow { Err(Stop::Gone) } else { Ok(()) }
    }

    fn pace(&self) -> Pace {
        if !self.pool.is_scarce() {
            return PACE;
        }
        let whole = self.payload_bytes / PAYLOAD_SECONDS_WHEN_SCARCE;
        Pace { bytes_a_second: PACE_WHEN_SCARCE.bytes_a_second.max(whole), ..PACE_WHEN_SCARCE }
    }
}
