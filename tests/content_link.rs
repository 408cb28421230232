//! Links: one form is written, its kin are read, and whoever pastes half of one is told what to do.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use minibit::content::Link;
use minibit::ids::{Endpoint, ShareId};
use proptest::prelude::*;

const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn link(rest: &str) -> String {
    format!("magnet:?xt=urn:btmh:1220{ID}{rest}")
}

fn read(text: &str) -> Link {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    text.parse::<Link>().unwrap_err().to_string()
}

#[test]
fn the_form_of_the_wire_is_written_and_read() {
    let text =
        link("&dn=My%20files%20%27%22%24%60%26%23%2B%C3%A9%FF&x.pe=host.test:7070&x.pe=[2001:db8::1]:1");
    let found = read(&text);
    assert_eq!(found.share.to_string(), ID);
    assert_eq!(found.name.as_deref(), Some(&b"My files '\"$`&#+\xc3\xa9\xff"[..]));
    let endpoints: Vec<String> = found.endpoints.iter().map(Endpoint::to_string).collect();
    assert_eq!(endpoints, ["host.test:7070", "[2001:db8::1]:1"]);
    assert_eq!(found.to_string(), text);
}

#[test]
fn what_others_add_is_ignored() {
    let plain = read(&link("&x.pe=a:1"));
    let hybrid = format!("&xt=urn:btih:{}&tr=http%3A%2F%2Ft%2Fa&xl=5&so=0&x.pe=a:1&&x&=&ws=", &ID[..40]);
    assert_eq!(read(&link(&hybrid)), plain);
    assert_eq!(read(&format!("magnet:?x.pe=a:1&xt=urn:btih:abc&xt=urn:btmh:1220{ID}")), plain);
    assert_eq!(read(&link("&x.pe=a%3A1&x.pe=a:1\n")), plain, "an endpoint counts once");
    assert_eq!(read(&format!("  magnet:?xt=urn%3Abtmh%3A1220{ID}&x.pe=a:1\r\n")), plain);
    assert_eq!(
        read(&link("&x.pe=a:1").replace("magnet", "Magnet")),
        plain,
        "a scheme has no case (RFC 3986)"
    );
    assert_eq!(read(&link("&dn=a+b%&dn=second")).name.as_deref(), Some(&b"a+b%"[..]));
}

#[test]
fn half_a_link_is_refused_with_what_to_do() {
    let whole = "copy the whole line, from 'magnet:' on, between single quotes";
    for bad in [
        "".to_owned(),
        "gnet:?xt=urn:btmh:1220".to_owned(),
        "magnet:".to_owned(),
        "magnet:?".to_owned(),
        "magnet:?dn=name".to_owned(),
        "http://example.test/".to_owned(),
        format!("minibit-peer join '{}'", link("")),
        link("")[..70].to_owned(),
        link("0"),
        link("&x.pe=host"),
        link("&x.pe=host:"),
        link("&x.pe=host:0"),
        link("&x.pe=host:65536"),
        link("&x.pe=:1"),
        link("&x.pe=::1:1"),
        link("&x.pe=%FF:1"),
        link("&x.pe=a%20b:1"),
        format!("magnet:?xt=urn:btmh:1220{}", ID.replace('0', "g")),
        format!("magnet:?xt=urn:btmh:1320{ID}"),
    ] {
        assert!(refused(&bad).contains(whole), "{bad}: {}", refused(&bad));
    }
}

#[test]
fn other_refusals_say_what_to_do_too() {
    assert!(refused(&link("").replace("aabb", "AABB")).contains("write its letters a to f small"));
    assert!(refused(&link(&format!("&xt=urn:btmh:1220{ID}"))).contains("use a link for each"));
    assert!(refused(&format!("magnet:?xt=urn:btih:{}", &ID[..40])).contains("v1"));
    assert!(refused(&link(&"&x=y".repeat(2048))).contains("8192"));
    let places = |count: usize| (0..count).map(|number| format!("&x.pe=h{number}:1")).collect::<String>();
    assert_eq!(read(&link(&places(100))).endpoints.len(), 100);
    assert!(refused(&link(&places(101))).contains("leave some out"));
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    let host = prop_oneof![
        "[a-z0-9][a-z0-9.-]{0,20}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
    ];
    (host, 1u16..).prop_map(|(host, port)| Endpoint { host, port })
}

fn links() -> impl Strategy<Value = Link> {
    let name = prop::option::of(prop::collection::vec(any::<u8>(), 0..300));
    let endpoints = prop::collection::btree_set(endpoints(), 0..50).prop_map(Vec::from_iter);
    (any::<[u8; 32]>(), name, endpoints).prop_map(|(id, name, endpoints)| Link {
        share: ShareId(id),
        name,
        endpoints,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(link in links()) {
        prop_assert_eq!(read(&link.to_string()), link);
    }

    #[test]
    fn what_is_written_is_one_word_between_single_quotes(link in links()) {
        let text = link.to_string();
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'' && byte != b'"'));
    }

    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), rest in "[&=%a-zA-Z0-9.:\\[\\]]{0,60}") {
        prop_assert!(text.parse::<Link>().is_err());
        if let Ok(found) = link(&rest).parse::<Link>() {
            prop_assert_eq!(read(&found.to_string()), found);
        }
    }

    #[test]
    fn half_a_link_is_never_another_share(link in links(), cut: prop::sample::Index) {
        let text = link.to_string();
        let cut = &text[..cut.index(text.len())];
        prop_assert!(cut.parse::<Link>().map_or(true, |found| found.share == link.share));
    }
}
