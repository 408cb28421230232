//! The line that is sent to others: a magnet link (BEP 9, BEP 52).

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::ids::{Endpoint, ShareId};

/// The most bytes of a link.
pub const LINK_BYTES_MAX: usize = 8 * 1024;
/// The most endpoints of a link.
pub const ENDPOINTS_MAX: usize = 100;

/// What begins each link.
const SCHEME: &str = "magnet:?";
/// A v2 info hash: a multihash (0x12) of 32 bytes (0x20), SHA-256 (BEP 52).
const SHARE: &str = "urn:btmh:1220";
/// A v1 info hash, which hybrids carry beside the other.
const SHARE_V1: &str = "urn:btih:";
/// All but RFC 3986's unreserved characters, so that no shell, mail or chat program sees anything in a name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `magnet:?xt=urn:btmh:1220<64 hex>&dn=<name>&x.pe=<host:port>...`; at most 8 KiB, at most 100 endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The share.
    pub share: ShareId,
    /// Its name, for showing only; invalid UTF-8 is percent-encoded as it is.
    pub name: Option<Vec<u8>>,
    /// Where to begin: a tracker or any peer.
    pub endpoints: Vec<Endpoint>,
}

/// Why a link is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLink(pub String);

/// Safe between single quotes in a shell.
impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}xt={SHARE}{}", self.share)?;
        if let Some(name) = &self.name {
            write!(f, "&dn={}", percent_encode(name, ENCODED))?;
        }
        self.endpoints.iter().try_for_each(|endpoint| write!(f, "&x.pe={endpoint}"))
    }
}

/// Blanks around the link are dropped, unknown parameters ignored, an endpoint that is repeated counts once.
impl FromStr for Link {
    type Err = BadLink;

    fn from_str(text: &str) -> Result<Link, BadLink> {
        let text = text.trim_ascii();
        if text.len() > LINK_BYTES_MAX {
            return Err(BadLink(format!("a link of {} bytes: it may have {LINK_BYTES_MAX}", text.len())));
        }
        let Some((_, query)) =
            text.split_at_checked(SCHEME.len()).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(SCHEME))
        else {
            return Err(incomplete("a link begins with 'magnet:?'"));
        };
        let mut found = Found::default();
        for (key, value) in query.split('&').filter_map(|parameter| parameter.split_once('=')) {
            found.take(key, percent_decode_str(value).collect())?;
        }
        found.finish()
    }
}

/// What was read of a link.
#[derive(Default)]
struct Found {
    share: Option<ShareId>,
    has_v1: bool,
    name: Option<Vec<u8>>,
    endpoints: Vec<Endpoint>,
}

impl Found {
    fn take(&mut self, key: &str, value: Vec<u8>) -> Result<(), BadLink> {
        match key {
            "xt" => self.take_topic(&String::from_utf8_lossy(&value)),
            "dn" => {
                self.name.get_or_insert(value);
                Ok(())
            }
            "x.pe" => self.take_endpoint(&String::from_utf8_lossy(&value)),
            _ => Ok(()),
        }
    }

    fn take_topic(&mut self, topic: &str) -> Result<(), BadLink> {
        self.has_v1 |= topic.starts_with(SHARE_V1);
        let Some(hex) = topic.strip_prefix(SHARE) else { return Ok(()) };
        let share = hex.parse().map_err(|_| bad_share(hex))?;
        match self.share.replace(share) {
            None => Ok(()),
            Some(_) => Err(BadLink("the link names two shares: use a link for each".to_owned())),
        }
    }

    fn take_endpoint(&mut self, place: &str) -> Result<(), BadLink> {
        let endpoint: Endpoint = place.parse().map_err(|bad| incomplete(&format!("in the link, {bad}")))?;
        if self.endpoints.contains(&endpoint) {
            return Ok(());
        }
        if self.endpoints.len() == ENDPOINTS_MAX {
            return Err(BadLink(format!("the link has more than {ENDPOINTS_MAX} 'x.pe': leave some out")));
        }
        self.endpoints.push(endpoint);
        Ok(())
    }

    fn finish(self) -> Result<Link, BadLink> {
        let Found { share, has_v1, name, endpoints } = self;
        match share {
            Some(share) => Ok(Link { share, name, endpoints }),
            None if has_v1 => {
                Err(BadLink("the link is of BitTorrent v1: ask for one with 'xt=urn:btmh:' in it".to_owned()))
            }
            None => Err(incomplete(&format!("the link has no 'xt={SHARE}'"))),
        }
    }
}

fn bad_share(hex: &str) -> BadLink {
    let digits = 2 * size_of::<ShareId>();
    if hex.len() != digits {
        return incomplete(&format!("the share's id has {} hex digits and should have {digits}", hex.len()));
    }
    if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return BadLink("the share's id is in upper case: write its letters a to f small".to_owned());
    }
    incomplete("the share's id has characters that are no hex digits")
}

fn incomplete(what: &str) -> BadLink {
    BadLink(format!("{what}: copy the whole line, from 'magnet:' on, between single quotes"))
}
