//! `minibit-tracker serve`: what was typed becomes a register without content.

use std::sync::Arc;

use minibit::console::event::Event;
use minibit::console::session::{self, Aim, Session, Shared};
use minibit::console::start::Place;
use minibit::console::subject::Subject;
use minibit::console::{Exit, Failure, Talk, publish};
use minibit::node::{NodeConfig, ShareConfig, Start};
use minibit::wire::Role;
use tokio_util::sync::CancellationToken;

use crate::cli::Serve;

/// Keeps the register until stopped.
pub async fn run(serve: Serve, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    // Not left to clap: there a switch that the environment turns off would count as given.
    if serve.subjects.is_empty() && !serve.open {
        let message =
            "there is nothing to register: name a metainfo file or a link, or take any share with --open";
        return Err(Failure::usage(message));
    }
    let mut subjects: Vec<Subject> = Vec::new();
    for typed in &serve.subjects {
        let subject = Subject::read(typed)?;
        if subjects.iter().all(|other| other.share() != subject.share()) {
            subjects.push(subject);
        }
    }
    let place = Place::bind(serve.listen, &serve.advertise.advertise)?;
    talk.event(&Event::Listening { addr: place.address.to_string() });
    talk.say(&format!("listening on {}", place.address));
    if serve.open {
        let addresses: Vec<String> = place.endpoints.iter().map(ToString::to_string).collect();
        talk.say(&format!("open to any share, as --tracker {}", addresses.join(" or ")));
    }
    subjects.iter().for_each(|subject| announce(subject, &place, talk));
    let node = NodeConfig { open: serve.open, ..place.node(env!("CARGO_PKG_NAME"), Role::Tracker) };
    let shares = subjects.iter().map(registered).collect();
    session::run(Session { listener: place.listener, node, shares, aim: Aim::Register }, talk, stop).await
}

fn announce(subject: &Subject, place: &Place, talk: &Talk) {
    match subject {
        Subject::Described(metainfo) => publish::announce(metainfo, &place.endpoints, talk),
        Subject::Link(link) => {
            talk.event(&publish::link_event(link, &place.endpoints));
            talk.result(&subject.name());
            talk.result(&publish::join_command(&subject.link(&place.endpoints).to_string()));
        }
    }
}

fn registered(subject: &Subject) -> Shared {
    let metainfo = match subject {
        Subject::Described(metainfo) => Some(Arc::clone(metainfo)),
        Subject::Link(_) => None,
    };
    let start = Start::Register(metainfo);
    let config = ShareConfig { share: subject.share(), start, endpoints: Vec::new(), goal: None };
    Shared { config, name: subject.name(), store: None, plan: None }
}
