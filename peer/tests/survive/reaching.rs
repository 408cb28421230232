//! Places that are wrong, refuse or never answer do not keep anybody from the one that does.

use std::net::TcpListener;

use tempfile::tempdir;

use super::content::{assert_same, file};
use super::node::{join, seed};

#[test]
fn a_link_that_begins_with_wrong_dead_and_silent_places_leads_to_the_one_that_answers() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 500_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let (share, right) = link.split_once("&x.pe=").expect("a link says where to begin");
    let port = right.rsplit_once(':').expect("an address has a port").1;
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
    // No name is so long; nobody listens at the next two; the last takes connections and says nothing.
    let wrong = [
        format!("{}:{port}", "x".repeat(64)),
        format!("[::1]:{port}"),
        format!("127.0.0.2:{port}"),
        silent.local_addr().expect("it is bound").to_string(),
    ];
    let places: String =
        wrong.iter().map(String::as_str).chain([right]).map(|at| format!("&x.pe={at}")).collect();
    join(place.path(), "peer", &format!("{share}{places}"), &[]).wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
}
