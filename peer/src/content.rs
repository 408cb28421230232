//! `minibit-peer create`, `show` and `verify`: what stands in files, at most with a short question to the swarm.

use std::sync::Arc;
use std::time::Duration;

use minibit::console::event::Event;
use minibit::console::session::fetch_metainfo;
use minibit::console::subject::Subject;
use minibit::console::{Exit, Failure, Talk, human, look, output, publish};
use minibit::content::{Link, Metainfo, names};
use minibit::ids::Endpoint;
use minibit::net::content::Fault;
use tokio_util::sync::CancellationToken;

use crate::cli::{Create, Show, Verify};
use crate::repair;

/// Hashes a path and writes its metainfo file.
pub async fn create(create: Create, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    let may_write = || if create.force { Ok(()) } else { output::refuse_existing(&create.output) };
    may_write()?;
    let scanned = look::hash(create.path, create.publish.scan(), talk, &stop).await?;
    may_write()?;
    output::write_whole(&create.output, &scanned.metainfo.to_file(&[]))?;
    talk.event(&publish::share_event(&scanned.metainfo, &[]));
    talk.event(&Event::Created { path: human::path(&create.output) });
    describe(&scanned.metainfo, talk);
    Ok(Exit::Done)
}

/// Shows what a link or a metainfo file says; of a link, also what its peers say if they answer soon.
pub async fn show(show: Show, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    let subject = Subject::read(&show.subject)?;
    let metainfo = match &subject {
        Subject::Described(metainfo) => Some(Arc::clone(metainfo)),
        Subject::Link(link) => {
            show_link(link, talk);
            fetched(link, &show.peer, show.timeout, talk, &stop).await?
        }
    };
    match metainfo {
        Some(metainfo) => show_files(&metainfo, subject.endpoints(), talk),
        None => talk.say("no peer answered: what it holds is not known"),
    }
    Ok(Exit::Done)
}

/// Checks a path against a description; the exit code tells whether all is right.
pub async fn verify(verify: Verify, talk: &Talk, stop: CancellationToken) -> Result<Exit, Failure> {
    let subject = Subject::read(&verify.subject)?;
    if let Err(error) = std::fs::symlink_metadata(&verify.path)
        && !(verify.repair && repair::is_begun(&verify.path, &subject))
    {
        return Err(Failure::failed(format!("cannot read '{}': {error}", human::path(&verify.path))));
    }
    let metainfo = match &subject {
        Subject::Described(metainfo) => Arc::clone(metainfo),
        Subject::Link(link) => {
            let found = fetched(link, &verify.peer, verify.timeout, talk, &stop).await?;
            found.ok_or_else(|| unknown(&stop))?
        }
    };
    let verdict = look::check(verify.path.clone(), Arc::clone(&metainfo), talk, &stop).await?;
    verdict.faults.iter().for_each(|fault| tell_fault(fault, talk));
    let (files, bytes, bad_files) = (verdict.files, verdict.bytes, verdict.faults.len());
    talk.event(&Event::Verified { files, bytes, bad_files });
    let counts = format!("{}, {}", human::counted(files as u64, "file"), human::counted(bytes, "byte"));
    if bad_files == 0 {
        talk.result(&format!("{counts}: all right"));
        return Ok(Exit::Done);
    }
    let so = if bad_files == 1 { "is not as it should be" } else { "are not as they should be" };
    talk.result(&format!("{counts}: {} {so}", human::counted(bad_files as u64, "file")));
    if !verify.repair {
        return Ok(Exit::Failed);
    }
    repair::run(&verify, &subject, metainfo, bad_files as u64, talk, stop).await
}

async fn fetched(
    link: &Link,
    peers: &[Endpoint],
    limit: Duration,
    talk: &Talk,
    stop: &CancellationToken,
) -> Result<Option<Arc<Metainfo>>, Failure> {
    let mut link = link.clone();
    link.endpoints.extend_from_slice(peers);
    if link.endpoints.is_empty() {
        return Ok(None);
    }
    let asked = link.endpoints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    talk.say(&format!("asking {asked} for the description, {} at most", human::clock(limit)));
    fetch_metainfo(&link, limit, stop).await
}

fn unknown(stop: &CancellationToken) -> Failure {
    if stop.is_cancelled() {
        return Failure::stopped("stopped before the description was known");
    }
    Failure::no_peer("nobody who was asked has the description behind this link")
        .hint("give the metainfo file instead of the link, or a peer that has it with --peer HOST:PORT")
}

fn describe(metainfo: &Metainfo, talk: &Talk) {
    let geometry = metainfo.geometry();
    talk.result(&format!("id      {}", metainfo.share()));
    talk.result(&format!("name    {}", metainfo.name()));
    let exact = geometry.total_bytes();
    talk.result(&format!("size    {} ({})", human::counted(exact, "byte"), human::bytes(exact)));
    talk.result(&format!("files   {}", geometry.file_count()));
    let piece = human::bytes(geometry.piece_bytes().into());
    talk.result(&format!("pieces  {} of {piece}", geometry.piece_count()));
}

fn show_link(link: &Link, talk: &Talk) {
    talk.event(&publish::link_event(link, &link.endpoints));
    talk.result(&format!("link    {}", link.share));
    if let Some(name) = &link.name {
        talk.result(&format!("called  {}", names::shown(name)));
    }
    link.endpoints.iter().for_each(|peer| talk.result(&format!("ask     {peer}")));
}

fn show_files(metainfo: &Metainfo, endpoints: &[Endpoint], talk: &Talk) {
    talk.event(&publish::share_event(metainfo, endpoints));
    describe(metainfo, talk);
    for file in metainfo.files() {
        let (path, bytes, executable) = (file.path.to_string(), file.length, file.executable);
        let mark = if executable { "*" } else { "" };
        talk.result(&format!("{bytes:>14}  {path}{mark}"));
        talk.event(&Event::File { path, bytes, executable });
    }
    metainfo.empty_folders().iter().for_each(|folder| talk.result(&format!("{:>14}  {folder}/", "-")));
}

fn tell_fault(fault: &Fault, talk: &Talk) {
    let Fault { path, what, ranges } = fault.clone();
    if !what.is_empty() {
        talk.result(&format!("{path}: {what}"));
    }
    ranges.iter().for_each(|[from, to]| talk.result(&format!("{path}: bytes {from} to {to} differ")));
    talk.event(&Event::Fault { path, what, ranges });
}
