//! Links: what is pasted is refused or is a link that is written and read again the same, safe between single quotes.

use minibit::content::Link;
use minibit::content::link::{ENDPOINTS_MAX, LINK_BYTES_MAX};
use minibit::ids::Endpoint;

/// A line of text, or what of it is UTF-8; also as the rest of a link, and as a place to dial.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    check(&text);
    check(&format!("magnet:?xt=urn:btmh:1220{}&{text}", "0a".repeat(32)));
    if let Ok(endpoint) = text.parse::<Endpoint>() {
        assert!(endpoint.port > 0 && !endpoint.host.is_empty());
        assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
    }
}

fn check(text: &str) {
    match text.parse::<Link>() {
        Ok(link) => check_link(&link),
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

fn check_link(link: &Link) {
    assert!(link.endpoints.len() <= ENDPOINTS_MAX);
    let text = link.to_string();
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"'\"\\".contains(&byte)), "{text}");
    if text.len() <= LINK_BYTES_MAX {
        assert_eq!(text.parse().as_ref(), Ok(link));
    }
}
