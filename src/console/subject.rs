//! What `LINK|FILE` names: a magnet link, or a metainfo file whatever its name.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::exit::Failure;
use super::human;
use crate::content::link::BadLink;
use crate::content::metainfo::METAINFO_BYTES_MAX;
use crate::content::{Link, Metainfo, names};
use crate::ids::{Endpoint, ShareId};

/// A share as it was named on the command line.
#[derive(Clone, Debug)]
pub enum Subject {
    /// By a link: its description is still to be fetched.
    Link(Link),
    /// By a metainfo file.
    Described(Arc<Metainfo>),
}

impl Subject {
    /// Reads what was typed. What begins with `magnet:` is a link, everything else the path of a metainfo file; an address of
    /// the web, where no file is called so, is neither.
    pub fn read(typed: &OsStr) -> Result<Subject, Failure> {
        match typed.to_str() {
            Some(text) if is_link(text) => Ok(Subject::Link(text.parse()?)),
            Some(text) if is_web(text) && !Path::new(typed).exists() => {
                Err(BadLink("it leads to the web, and a link of a share begins with magnet:".to_owned())
                    .into())
            }
            _ => read_metainfo(Path::new(typed)).map(|metainfo| Subject::Described(Arc::new(metainfo))),
        }
    }

    /// The share's id.
    pub fn share(&self) -> ShareId {
        match self {
            Subject::Link(link) => link.share,
            Subject::Described(metainfo) => metainfo.share(),
        }
    }

    /// The share's name, escaped; of a link without one, the beginning of the id.
    pub fn name(&self) -> String {
        match self {
            Subject::Link(Link { name: Some(name), .. }) => names::shown(name),
            Subject::Link(link) => format!("{:?}", link.share),
            Subject::Described(metainfo) => metainfo.name().to_string(),
        }
    }

    /// Where it says to begin.
    pub fn endpoints(&self) -> &[Endpoint] {
        match self {
            Subject::Link(link) => &link.endpoints,
            Subject::Described(metainfo) => metainfo.endpoints(),
        }
    }

    /// The link that names it, beginning at `endpoints`.
    pub fn link(&self, endpoints: &[Endpoint]) -> Link {
        match self {
            Subject::Link(link) => Link { endpoints: endpoints.to_vec(), ..link.clone() },
            Subject::Described(metainfo) => metainfo.link(endpoints),
        }
    }
}

fn is_link(text: &str) -> bool {
    text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

fn is_web(text: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme))
}

fn read_metainfo(path: &Path) -> Result<Metainfo, Failure> {
    let shown = human::path(path);
    let mut bytes = Vec::new();
    let limit = METAINFO_BYTES_MAX as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(|error| {
        Failure::failed(format!("cannot read '{shown}': {error}")).hint(
            "a link begins with magnet: and stands between single quotes; everything else is a metainfo file",
        )
    })?;
    Metainfo::parse(&bytes).map_err(|error| Failure::bad_metainfo(&shown, &error))
}
