//! Paths that become shares: hashed, described, written out, announced.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::event::Event;
use super::exit::Failure;
use super::options::{AnnounceOptions, PublishOptions};
use super::session::Shared;
use super::talk::Talk;
use super::{human, look, output};
use crate::content::{Link, Metainfo, PieceSet, names};
use crate::ids::Endpoint;
use crate::net::content::Scanned;
use crate::node::{ShareConfig, Start};
use crate::wire::Goal;

/// Hashes each of `paths`. Of two with the same content and name, the second is left out, and said so.
pub async fn hash_all(
    paths: &[PathBuf],
    options: &PublishOptions,
    talk: &Talk,
    stop: &CancellationToken,
) -> Result<Vec<Scanned>, Failure> {
    let mut all: Vec<Scanned> = Vec::new();
    for path in paths {
        let scanned = look::hash(path.clone(), options.scan(), talk, stop).await?;
        if all.iter().any(|other| other.metainfo.share() == scanned.metainfo.share()) {
            talk.warn(&format!(
                "'{}' is the same share as one before it: it is shared once",
                human::path(path)
            ));
        } else {
            all.push(scanned);
        }
    }
    Ok(all)
}

/// Refuses outputs that could only hold one of several shares, or that would replace what is shared.
pub fn refuse_outputs(outputs: &AnnounceOptions, paths: &[PathBuf]) -> Result<(), Failure> {
    let AnnounceOptions { torrent_file, link_file } = outputs;
    let named = [("--torrent-file", torrent_file), ("--link-file", link_file)];
    for (option, output) in named.into_iter().filter_map(|(option, output)| Some((option, output.as_ref()?)))
    {
        if paths.len() > 1 {
            let message = format!("{option} holds one share, and several are given");
            return Err(Failure::usage(message).hint("share one PATH, or run the program once for each"));
        }
        // What cannot be found is not there to be replaced.
        let Ok(output) = output.canonicalize() else { continue };
        if paths.iter().any(|path| path.canonicalize().is_ok_and(|path| output.starts_with(path))) {
            let message = format!("{option} would replace '{}', which is to be shared", human::path(&output));
            return Err(Failure::would_overwrite(message).hint("choose another name"));
        }
    }
    Ok(())
}

/// Writes what was asked for, each file whole, before anybody hears of the share.
pub fn write_out(
    outputs: &AnnounceOptions,
    metainfo: &Metainfo,
    endpoints: &[Endpoint],
) -> Result<(), Failure> {
    if let Some(path) = &outputs.torrent_file {
        output::write_whole(path, &metainfo.to_file(endpoints))?;
    }
    if let Some(path) = &outputs.link_file {
        output::write_whole(path, format!("{}\n", metainfo.link(endpoints)).as_bytes())?;
    }
    Ok(())
}

/// Tells of a share: its name, size and pieces, and the line to paste.
pub fn announce(metainfo: &Metainfo, endpoints: &[Endpoint], talk: &Talk) {
    talk.event(&share_event(metainfo, endpoints));
    let geometry = metainfo.geometry();
    let (size, pieces) =
        (human::bytes(geometry.total_bytes()), human::counted(geometry.piece_count().into(), "piece"));
    let files = human::counted(geometry.file_count() as u64, "file");
    talk.result(&format!("{}: {size}, {files}, {pieces}", metainfo.name()));
    talk.result(&join_command(&metainfo.link(endpoints).to_string()));
}

/// The line that others paste into a shell.
pub fn join_command(link: &str) -> String {
    format!("minibit-peer join {}", human::shell_quoted(link))
}

/// The event that describes a share.
pub fn share_event(metainfo: &Metainfo, endpoints: &[Endpoint]) -> Event {
    Event::Share {
        id: metainfo.share().to_string(),
        name: metainfo.name().to_string(),
        bytes: metainfo.geometry().total_bytes(),
        pieces: metainfo.geometry().piece_count(),
        link: metainfo.link(endpoints).to_string(),
    }
}

/// The event that describes a share of which only the link is known, to be found at `endpoints`.
pub fn link_event(link: &Link, endpoints: &[Endpoint]) -> Event {
    Event::Link {
        id: link.share.to_string(),
        name: link.name.as_ref().map(|name| names::shown(name)),
        peers: endpoints.iter().map(ToString::to_string).collect(),
    }
}

/// A share that is whole where it lies. `endpoints` are dialled.
pub fn seeded(scanned: Scanned, endpoints: Vec<Endpoint>, goal: Option<Goal>) -> Shared {
    let metainfo = scanned.metainfo;
    let held = PieceSet::full(metainfo.geometry().piece_count());
    let name = metainfo.name().to_string();
    let start = Start::Holding { metainfo: Arc::clone(&metainfo), held };
    let config = ShareConfig { share: metainfo.share(), start, endpoints, goal };
    Shared { config, name, store: Some(scanned.store), plan: None }
}
