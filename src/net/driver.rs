//! The loop that joins the core to the world.

mod disks;
mod perform;
mod stop;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::accept::{Guest, Seats, accept};
use super::clock::Clock;
use super::content::{Plan, Store, StoreError};
use super::disk::{Disk, Ended};
use super::jobs::{Done, Prepared};
use super::link::{INBOX_REPORTS_MAX, Link, Report, Tools};
pub use super::listen::{listen, own_addresses};
use super::pool::{Buffer, Pool};
use super::serve::Larder;
use super::shelf::Shelf;
use crate::ids::{Endpoint, LinkId, ShareId};
use crate::node::{Node, ShareConfig};
use crate::seam::{Action, Event, News, ShareView};

/// How often a person sees the shares as they stand.
const VIEW_PERIOD: Duration = Duration::from_millis(200);
/// Reports taken from the inbox before anything else is looked at again.
const REPORTS_AT_ONCE_MAX: usize = 64;
/// Folders and locks that a download keeps open; of what is shared from where it lies it is one folder.
const DOWNLOAD_DESCRIPTORS: usize = 8;
/// Accepted connections that wait for their number.
const GUESTS_MAX: usize = 1;

/// What the loop has at hand besides its listener and its core.
#[derive(Debug)]
pub struct Desk {
    /// The content of shares that are seeded from where they lie.
    pub stores: HashMap<ShareId, Arc<Store>>,
    /// How a share that is downloaded is laid down.
    pub plans: HashMap<ShareId, Plan>,
    /// Every share as it stands, a few times a second. `complete` is said once every file stands in its place.
    pub views: watch::Sender<Vec<ShareView>>,
    /// Bytes looked at and bytes in all, while what is there already of a download is checked; none otherwise.
    pub checking: watch::Sender<Option<(u64, u64)>>,
    /// What happens, as it happens; what does not fit is dropped.
    pub news: mpsc::Sender<News>,
}

/// How a share ended in trouble.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its place on disk could not be prepared or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The listener or the runtime failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs `node` with `shares` until `stop`, or until a share's disk fails. Every task it began has ended when it returns;
/// what is complete has been moved into place, what is not can be gone on from. At most 2 s after `stop`.
///
/// Wants a runtime of several threads: on one thread it is right but slow.
pub async fn run(
    listener: TcpListener,
    node: Node,
    shares: Vec<ShareConfig>,
    desk: Desk,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let (inbox, mut reports) = mpsc::channel(INBOX_REPORTS_MAX);
    let (door, mut guests) = mpsc::channel(GUESTS_MAX);
    let (disk, mut ended) = Disk::new(shares.len());
    let mut driver = Driver::new(node, desk, inbox, disk);
    driver.open(listener, door);
    driver.add(shares);
    let mut batch = Vec::with_capacity(REPORTS_AT_ONCE_MAX);
    let mut views = interval(VIEW_PERIOD);
    views.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !driver.is_over() {
        tokio::select! {
            biased;
            () = stop.cancelled(), if !driver.is_stopping() => driver.begin_stop(),
            () = driver.time_is_up() => break,
            Some(done) = driver.work.join_next() => driver.done(done),
            Some(job) = ended.recv() => driver.ended(job),
            () = driver.clock.reach(driver.node.deadline()) => driver.deadline(),
            _ = views.tick() => {
                driver.look_after_disks();
                driver.publish();
            }
            // Before the reports: they could keep it waiting for ever, it cannot them, since a seat is freed by a report.
            Some(guest) = guests.recv() => driver.welcome(guest, None),
            _ = reports.recv_many(&mut batch, REPORTS_AT_ONCE_MAX) => {
                batch.drain(..).for_each(|report| driver.take(report));
            }
        }
    }
    drop((reports, guests, ended));
    driver.finish().await
}

/// The core and everything that it commands.
#[derive(Debug)]
struct Driver {
    clock: Clock,
    node: Node,
    desk: Desk,
    shelves: HashMap<ShareId, Shelf>,
    links: HashMap<LinkId, Link>,
    links_ever: u64,
    tools: Tools,
    /// Every task of this run.
    work: JoinSet<Done>,
    door: Option<AbortHandle>,
    seats: Seats,
    dials: Arc<Semaphore>,
    disk: Disk,
    /// Writes, counts and checks under way, which a stop waits for.
    disk_jobs: usize,
    /// The bytes of the event that the core is answering.
    hand: Option<Buffer>,
    /// What happened while actions were performed; at most one for each of them.
    echoes: VecDeque<Event>,
    actions: Vec<Action>,
    failure: Option<RunError>,
    stopped: Option<Instant>,
    /// Ends the checks of what is there already.
    stopping: CancellationToken,
}

impl Driver {
    fn new(node: Node, mut desk: Desk, inbox: mpsc::Sender<Report>, disk: Disk) -> Driver {
        let pool = Pool::new();
        let larder = Arc::new(Larder::new(pool.clone(), inbox.clone(), desk.news.clone()));
        let seats = Seats::here(desk.stores.len() + DOWNLOAD_DESCRIPTORS * desk.plans.len());
        let shelves = desk.stores.drain().map(|(share, store)| (share, Shelf::seeded(store))).collect();
        Driver {
            clock: Clock::new(),
            node,
            desk,
            shelves,
            links: HashMap::new(),
            links_ever: 0,
            tools: Tools { inbox, pool, larder, cut: CancellationToken::new() },
            work: JoinSet::new(),
            door: None,
            seats,
            dials: Arc::new(Semaphore::new(seats.dialled)),
            disk,
            disk_jobs: 0,
            hand: None,
            echoes: VecDeque::new(),
            actions: Vec::new(),
            failure: None,
            stopped: None,
            stopping: CancellationToken::new(),
        }
    }

    fn open(&mut self, listener: TcpListener, door: mpsc::Sender<Guest>) {
        let (accepted_max, news) = (self.seats.accepted, self.desk.news.clone());
        let door = async move {
            accept(listener, accepted_max, door, news).await;
            Done::Task
        };
        self.door = Some(self.work.spawn(door));
    }

    fn add(&mut self, shares: Vec<ShareConfig>) {
        for share in shares {
            let mut actions = std::mem::take(&mut self.actions);
            self.node.add(self.clock.now(), share, &mut actions);
            self.perform(actions);
        }
        self.settle();
    }

    /// Hands `event` to the core, performs what it orders, and goes on with what that brought about.
    fn tell(&mut self, event: Event) {
        self.echoes.push_back(event);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(event) = self.echoes.pop_front() {
            let mut actions = std::mem::take(&mut self.actions);
            self.node.handle(self.clock.now(), event, &mut actions);
            self.perform(actions);
            self.hand = None;
        }
    }

    fn deadline(&mut self) {
        self.clock.wake();
        self.tell(Event::DeadlineReached);
    }

    /// Takes what a link reports.
    fn take(&mut self, report: Report) {
        if let Event::Closed { link } = report.event {
            self.links.remove(&link);
        }
        self.hand = report.payload;
        self.tell(report.event);
    }

    /// Gives a connection its number.
    fn welcome(&mut self, guest: Guest, dialled: Option<(ShareId, Endpoint)>) {
        if self.is_stopping() {
            return;
        }
        let (link, remote) = (LinkId(self.links_ever), guest.remote);
        self.links_ever += 1;
        self.links.insert(link, Link::begin(link, guest, &self.tools, &mut self.work));
        self.tell(Event::Connected { link, remote, dialled });
    }

    /// Takes what became of a task. A panic in one is a bug, and the whole run's.
    fn done(&mut self, done: Result<Done, JoinError>) {
        match done.map_err(JoinError::try_into_panic) {
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) | Ok(Done::Task) => {}
            Ok(Done::Dialled { share, endpoint, guest: None }) => {
                self.tell(Event::DialFailed { share, endpoint })
            }
            Ok(Done::Dialled { share, endpoint, guest: Some(guest) }) => {
                self.welcome(guest, Some((share, endpoint)));
            }
            Ok(Done::Settled { share, outcome }) => {
                self.disk_jobs -= 1;
                self.settled(share, outcome);
            }
            Ok(Done::Committed { share, outcome }) => {
                self.disk_jobs -= 1;
                self.shelf(share).ended_commit();
                self.unless_refused(share, outcome);
            }
            Ok(Done::Probed { share, outcome }) => {
                self.disk_jobs -= 1;
                self.probed(share, outcome);
            }
            Ok(Done::Prepared { share, outcome }) => {
                self.disk_jobs -= 1;
                let Some(prepared) = self.unless_failed(outcome) else { return };
                self.shelves.insert(share, Shelf::prepared(&prepared));
                let wanted = prepared.store.wanted().clone();
                let Prepared { held, banned, doubtful, .. } = prepared;
                self.tell(Event::Prepared { share, held, wanted, banned, doubtful });
            }
        }
    }

    /// Takes what became of a disk job.
    fn ended(&mut self, ended: Ended) {
        self.disk_jobs -= 1;
        match ended {
            Ended::Wrote { share, block, outcome } => {
                let is_commit_urgent = self.unless_refused(share, outcome);
                if is_commit_urgent == Some(true) {
                    self.commit_at_once(share);
                }
                self.tell(Event::Wrote { share, block, done: is_commit_urgent.is_some() });
            }
            Ended::Counted { share, whole } => self.counted(share, whole),
        }
    }

    /// Shows every share as it stands.
    fn publish(&self) {
        let mut views = self.node.view(self.clock.now());
        for view in &mut views {
            view.complete &= self.shelves.get(&view.share).is_none_or(|shelf| shelf.is_finished);
        }
        self.desk.views.send_replace(views);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PeerId;
    use crate::node::NodeConfig;
    use crate::wire::Role;

    fn driver() -> Driver {
        let node = NodeConfig {
            id: PeerId([1; 20]),
            port: 0,
            agent: "test".to_owned(),
            role: Role::Peer,
            open: false,
            advertised: Vec::new(),
            limit_up: None,
            limit_down: None,
            seed: 1,
        };
        let (views, news, checking) =
            (watch::channel(Vec::new()).0, mpsc::channel(1).0, watch::channel(None).0);
        let desk = Desk { stores: HashMap::new(), plans: HashMap::new(), views, checking, news };
        Driver::new(Node::new(node), desk, mpsc::channel(1).0, Disk::new(0).0)
    }

    #[tokio::test]
    #[should_panic(expected = "a bug in one task")]
    async fn a_panic_in_any_task_is_the_whole_runs_and_leaves_nothing_half_dead() {
        let mut driver = driver();
        driver.work.spawn(async { panic!("a bug in one task") });
        let done = driver.work.join_next().await.expect("a task");
        driver.done(done);
    }
}
