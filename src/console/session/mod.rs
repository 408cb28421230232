//! A process in the swarm, from its first connection to its exit code: runs the node and watches it for the person.

mod fetch;
mod report;
mod watcher;

pub use fetch::fetch_metainfo;
pub use watcher::{Aim, Cadence, Download};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::talk::Talk;
use crate::ids::ShareId;
use crate::net::content::{Plan, Store};
use crate::net::{self, Desk};
use crate::node::{Node, NodeConfig, ShareConfig};
use crate::seam::News;
use watcher::Watcher;

/// News that wait for the person; more are dropped.
const NEWS_MAX: usize = 1024;
/// How often the screen is drawn and the time looked at.
const TICK: Duration = Duration::from_millis(250);

/// A share and where its bytes are or go.
#[derive(Debug)]
pub struct Shared {
    /// For the node.
    pub config: ShareConfig,
    /// Escaped.
    pub name: String,
    /// Of what is seeded from where it lies.
    pub store: Option<Arc<Store>>,
    /// Of what is downloaded.
    pub plan: Option<Plan>,
}

/// Everything a process needs to take part.
#[derive(Debug)]
pub struct Session {
    /// Bound.
    pub listener: TcpListener,
    /// Who we are.
    pub node: NodeConfig,
    /// At least one, unless the register is open.
    pub shares: Vec<Shared>,
    /// When it is over.
    pub aim: Aim,
}

/// Takes part until the aim is reached, `stop` is cancelled or something fails. At most 2 s after `stop`.
pub async fn run(session: Session, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    let Session { listener, node, shares, aim } = session;
    let (views_sender, mut views) = watch::channel(Vec::new());
    let (news_sender, mut news) = mpsc::channel(NEWS_MAX);
    let (checking_sender, checking) = watch::channel(None);
    let mut watcher = Watcher::new(talk, aim, &shares);
    let (configs, stores, plans) = laid_out(shares);
    let desk = Desk { stores, plans, views: views_sender, news: news_sender, checking: checking_sender };
    let over = stop.child_token();
    let mut task = tokio::spawn(net::run(listener, Node::new(node), configs, desk, over.clone()));
    let started = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let result = loop {
        tokio::select! {
            done = &mut task => break done,
            Ok(()) = views.changed() => {
                let current = views.borrow_and_update().clone();
                hear_all(&mut news, &mut watcher); // what happened before it is told before it
                watcher.see(current, started.elapsed());
            }
            Some(one) = news.recv() => watcher.hear(&one),
            () = stop.cancelled(), if !watcher.is_stopping() => watcher.stop(),
            _ = ticks.tick() => watcher.tick(*checking.borrow(), started.elapsed()),
        }
        if watcher.judge(started.elapsed()) {
            over.cancel();
        }
    };
    hear_all(&mut news, &mut watcher);
    let last = views.borrow().clone();
    watcher.see(last, started.elapsed());
    watcher.end();
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    watcher.verdict()
}

fn hear_all(news: &mut mpsc::Receiver<News>, watcher: &mut Watcher<'_>) {
    while let Ok(one) = news.try_recv() {
        watcher.hear(&one);
    }
}

type LaidOut = (Vec<ShareConfig>, HashMap<ShareId, Arc<Store>>, HashMap<ShareId, Plan>);

fn laid_out(shares: Vec<Shared>) -> LaidOut {
    let (mut configs, mut stores, mut plans) = (Vec::new(), HashMap::new(), HashMap::new());
    for Shared { config, store, plan, .. } in shares {
        stores.extend(store.map(|store| (config.share, store)));
        plans.extend(plan.map(|plan| (config.share, plan)));
        configs.push(config);
    }
    (configs, stores, plans)
}
