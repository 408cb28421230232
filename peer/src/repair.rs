//! `minibit-peer verify --repair`: what is wrong with a copy is fetched from the swarm, and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use minibit::console::event::Event;
use minibit::console::session::{self, Aim, Download, Session, Shared};
use minibit::console::start::Place;
use minibit::console::subject::Subject;
use minibit::console::{Exit, Failure, Talk, human};
use minibit::content::Metainfo;
use minibit::net::content::{Differing, Plan, download_folder, known_metainfo};
use minibit::node::{ShareConfig, Start};
use minibit::wire::Role;
use tokio_util::sync::CancellationToken;

use crate::cli::Verify;
use crate::join::{ANY, all_endpoints};

/// Whether a repair was begun beside `path`: the file that should be there may lie in its room.
pub fn is_begun(path: &Path, subject: &Subject) -> bool {
    let folder = path.parent().map(|folder| if folder == Path::new("") { Path::new(".") } else { folder });
    folder.is_some_and(|folder| known_metainfo(folder, subject.share()).is_some())
}

/// Mends the copy, of which so many files are wrong.
pub async fn run(
    verify: &Verify,
    subject: &Subject,
    metainfo: Arc<Metainfo>,
    bad_files: u64,
    talk: &Talk,
    stop: CancellationToken,
) -> Result<Exit, Failure> {
    let dir = folder(&verify.path, &metainfo)?;
    let endpoints = all_endpoints(subject, &verify.peer);
    if endpoints.is_empty() {
        return Err(Failure::no_peer("there is nobody to ask for what is wrong")
            .hint("nothing was changed; name a peer that has the share with --peer HOST:PORT"));
    }
    let place = Place::bind(ANY, &[])?;
    let node = place.node(env!("CARGO_PKG_NAME"), Role::Peer);
    talk.event(&Event::Listening { addr: place.address.to_string() });
    let (share, name) = (metainfo.share(), metainfo.name().to_string());
    talk.say(&format!("mending {name} in {}", human::path(&dir)));
    let config = ShareConfig { share, start: Start::Described(metainfo), endpoints, goal: None };
    let plan = Plan { dir: dir.clone(), select: Vec::new(), differing: Differing::Mended };
    let shares = vec![Shared { config, name, store: None, plan: Some(plan) }];
    let aim = Aim::Download(Download {
        dir,
        seed_for: Some(Duration::ZERO),
        timeout: Some(verify.timeout),
        mended_files: Some(bad_files),
    });
    session::run(Session { listener: place.listener, node, shares, aim }, talk, stop).await
}

/// Where the share is to be mended.
fn folder(path: &Path, metainfo: &Metainfo) -> Result<PathBuf, Failure> {
    download_folder(path, metainfo).ok_or_else(|| {
        let (path, name) = (human::path(path), metainfo.name());
        Failure::failed(format!("'{path}' cannot be mended where it is: the share is named '{name}'"))
            .hint(format!("rename it to '{name}' and try again"))
    })
}
