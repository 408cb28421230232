//! A short visit to a swarm for the description behind a link; nothing is written.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::console::exit::Failure;
use crate::console::start::stranger;
use crate::content::{Link, Metainfo};
use crate::net::{self, Desk};
use crate::node::{Node, ShareConfig, Start};
use crate::seam::ShareView;
use crate::wire::Role;

/// The description of what `link` names, from whoever it leads to; none when nobody had it within `limit`.
pub async fn fetch_metainfo(
    link: &Link,
    limit: Duration,
    stop: &CancellationToken,
) -> Result<Option<Arc<Metainfo>>, Failure> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let listener = net::listen(any).map_err(|error| Failure::bind(&error))?;
    let (views_sender, mut views) = watch::channel(Vec::new());
    let (news_sender, _news) = mpsc::channel(1);
    let (checking_sender, _checking) = watch::channel(None);
    let (stores, plans) = (HashMap::new(), HashMap::new());
    let desk = Desk { stores, plans, views: views_sender, news: news_sender, checking: checking_sender };
    let share = ShareConfig {
        share: link.share,
        start: Start::Linked,
        endpoints: link.endpoints.clone(),
        goal: None,
    };
    let over = stop.child_token();
    let node = Node::new(stranger("minibit-peer", Role::Peer, 0));
    let task = tokio::spawn(net::run(listener, node, vec![share], desk, over.clone()));
    let known = |views: &Vec<ShareView>| views.iter().any(|view| view.metainfo.is_some());
    let found = tokio::select! {
        found = views.wait_for(known) => found.ok().and_then(|views| views.iter().find_map(|view| view.metainfo.clone())),
        () = tokio::time::sleep(limit) => None,
        () = stop.cancelled() => None,
    };
    over.cancel();
    task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    Ok(found)
}
