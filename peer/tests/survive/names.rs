//! Names that hide, that programs obey or that mislead the eye: told before anything is fetched, and never out of their folder.

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use super::content::{assert_same, noise, write};
use super::node::{join, number, seed};

/// Shown from right to left, an image; truly a program.
const MISLEADING: &str = "cod\u{202e}gpj.exe";

#[test]
fn hidden_and_harmful_names_are_told_before_the_first_byte_and_misleading_ones_are_escaped() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("there").join(MISLEADING);
    for name in [".ssh/authorized_keys", "b/.git/hooks/post-checkout", "AutoRun.inf", MISLEADING] {
        write(&shared.join(name), &noise(1, 50_000));
    }
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let end = join(place.path(), "peer", &link, &["--leave-when-complete"]).end();
    assert_eq!(end.code, Some(0), "{}", end.talk);
    let at = |is_it: &dyn Fn(&Value) -> bool| end.events.iter().position(is_it);
    let is_warning = |event: &Value, name: &str| {
        event["event"] == "warning" && event["message"].as_str().is_some_and(|text| text.contains(name))
    };
    let begun = at(&|event| event["event"] == "progress" && number(event, "done_bytes") > 0);
    for name in [".ssh", "b/.git", "AutoRun.inf"] {
        let told = at(&|event| is_warning(event, name));
        assert!(told.is_some() && (begun.is_none() || told < begun), "{name}: {}", end.talk);
    }
    assert!(end.talk.contains("cod\\u{202e}gpj.exe") && !end.talk.contains('\u{202e}'), "{}", end.talk);
    assert_same(&shared, &place.path().join("peer").join(MISLEADING));
    assert_eq!(
        fs::read_dir(place.path().join("peer")).expect("a folder").count(),
        1,
        "and nothing beside it"
    );
}
