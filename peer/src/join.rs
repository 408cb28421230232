//! `minibit-peer join`: what was typed becomes a session that downloads.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use minibit::console::event::Event;
use minibit::console::session::{self, Aim, Download, Session, Shared};
use minibit::console::start::Place;
use minibit::console::subject::Subject;
use minibit::console::{Exit, Failure, Talk, human};
use minibit::ids::Endpoint;
use minibit::net::content::{Differing, Plan, known_metainfo};
use minibit::node::{NodeConfig, ShareConfig, Start};
use minibit::wire::Role;
use tokio_util::sync::CancellationToken;

use crate::cli::Join;

/// Downloads until complete, and then seeds as long as was asked for.
pub async fn run(join: Join, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    // Not left to clap: there a switch that the environment turns off would clash too.
    if join.leave_when_complete && join.seed_for.is_some() {
        return Err(Failure::usage("--leave-when-complete and --seed-for cannot both be had: choose one"));
    }
    let subject = Subject::read(&join.subject)?;
    let endpoints = endpoints(&subject, &join.peer)?;
    let place = Place::bind(join.listen.unwrap_or(ANY), &join.advertise.advertise)?;
    let node = NodeConfig {
        limit_up: join.limit_up,
        limit_down: join.limit_down,
        ..place.node(env!("CARGO_PKG_NAME"), Role::Peer)
    };
    talk.event(&Event::Listening { addr: place.address.to_string() });
    talk.detail(&format!("listening on {}", place.address));
    talk.say(&format!("joining {} in {}", subject.name(), human::path(&join.dir)));
    if endpoints.is_empty() {
        let here = place.endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        talk.say(&format!(
            "nobody to ask: others reach this peer with --peer {here}, or name one that way here"
        ));
    }
    let aim = Aim::Download(download(&join));
    let session =
        Session { listener: place.listener, node, shares: vec![shared(subject, endpoints, join)], aim };
    session::run(session, talk, stop).await.map_err(elsewhere)
}

/// What cannot be done in this folder may be done in another.
fn elsewhere(failure: Failure) -> Failure {
    match failure.word {
        "no_space" | "locked" => failure.hint("or choose another folder with -o"),
        _ => failure,
    }
}

/// A free port on every address.
pub const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);

/// What the subject says, then what was typed, each once.
pub fn all_endpoints(subject: &Subject, typed: &[Endpoint]) -> Vec<Endpoint> {
    let mut all: Vec<Endpoint> = Vec::new();
    for endpoint in subject.endpoints().iter().chain(typed) {
        if !all.contains(endpoint) {
            all.push(endpoint.clone());
        }
    }
    all
}

/// Whom to dial. Only with a metainfo file may it be nobody: its owner can hold everything already, and be dialled by others.
fn endpoints(subject: &Subject, typed: &[Endpoint]) -> Result<Vec<Endpoint>, Failure> {
    let all = all_endpoints(subject, typed);
    if all.is_empty() && matches!(subject, Subject::Link(_)) {
        let message = "there is nobody to ask: neither the link nor the command line names a peer";
        return Err(Failure::usage(message).hint("name one with --peer HOST:PORT"));
    }
    Ok(all)
}

fn download(join: &Join) -> Download {
    let seed_for = if join.leave_when_complete { Some(Duration::ZERO) } else { join.seed_for };
    Download { dir: join.dir.clone(), seed_for, timeout: join.timeout, mended_files: None }
}

fn shared(subject: Subject, endpoints: Vec<Endpoint>, join: Join) -> Shared {
    let (share, name) = (subject.share(), subject.name());
    let start = match subject {
        // What an earlier run was told lies beside what it got: nobody need tell it again.
        Subject::Link(_) => known_metainfo(&join.dir, share)
            .map_or(Start::Linked, |metainfo| Start::Described(Arc::new(metainfo))),
        Subject::Described(metainfo) => Start::Described(metainfo),
    };
    let config = ShareConfig { share, start, endpoints, goal: None };
    let differing = if join.force { Differing::Replaced } else { Differing::Refused };
    let plan = Plan { dir: join.dir, select: join.select, differing };
    Shared { config, name, store: None, plan: Some(plan) }
}
