//! The command line of `minibit-tracker`: what it says, how it ends, what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may end with a panic")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

const LINK: &str =
    "magnet:?xt=urn:btmh:1220abababababababababababababababababababababababababababababababab&dn=photos";

fn tracker(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minibit-tracker"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("MINIBIT_")) {
            command.env_remove(name);
        }
    }
    command.args(args).env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn run(args: &[&str]) -> Output {
    tracker(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn fails(args: &[&str], exit: i32, word: &str, what: &str) {
    let output = run(&[args, &["--json"]].concat());
    let talk = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {talk}");
    assert_eq!(
        talk.lines().filter(|line| line.starts_with("error: ") && line.contains(what)).count(),
        1,
        "{args:?}: {talk}"
    );
    let error: Value = serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((error["event"].as_str(), error["code"].as_str()), (Some("error"), Some(word)), "{args:?}");
}

/// A program under way; killed with the test.
struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(args: &[&str]) -> Running {
        let mut child = tracker(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    fn event(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    fn stopped_by(mut self, signal: &str) -> Option<i32> {
        assert!(
            Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success()
        );
        // Read to the end, so that nothing waits for a full pipe.
        self.lines.by_ref().for_each(|line| assert!(line.is_ok()));
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn photos() -> TempDir {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("it's")).unwrap();
    fs::write(dir.path().join("it's/a.jpg"), vec![7; 50_000]).unwrap();
    fs::write(dir.path().join("one"), b"one").unwrap();
    dir
}

fn at(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn every_help_has_examples_and_every_exit_code() {
    for command in [&["--help"][..], &["seed", "--help"], &["serve", "--help"]] {
        let output = run(command);
        assert_eq!(output.status.code(), Some(0));
        let help = text(&output.stdout);
        assert!(help.contains("Examples:\n  minibit-tracker "), "{command:?}");
        for number in 0..=7 {
            assert!(help.contains(&format!("\n  {number}  ")), "{command:?} {number}");
        }
    }
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    for args in
        [&["seed"][..], &["serve"], &["seed", "x", "--goal", "none"], &["seed", "x", "--listen", "here"]]
    {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{args:?}");
    }
}

#[test]
fn a_register_of_nothing_is_refused_though_the_environment_names_the_switch() {
    let output = tracker(&["serve"]).env("MINIBIT_OPEN", "0").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--open"), "{}", text(&output.stderr));
}

#[test]
fn an_output_never_replaces_what_is_shared() {
    let dir = photos();
    for (path, output) in [("one", "one"), ("it's", "it's/a.jpg")] {
        let before = fs::read(at(&dir, output)).unwrap();
        let args = ["seed", &at(&dir, path), "--listen", "127.0.0.1:0", "--torrent-file", &at(&dir, output)];
        fails(&args, 6, "would_overwrite", "--torrent-file");
        assert_eq!(fs::read(at(&dir, output)).unwrap(), before);
    }
}

#[test]
fn one_output_file_cannot_hold_two_shares() {
    let dir = photos();
    fails(
        &["seed", &at(&dir, "it's"), &at(&dir, "one"), "--link-file", &at(&dir, "link")],
        2,
        "usage",
        "--link-file",
    );
}

#[test]
fn a_path_that_is_not_there_is_named_before_anything_is_bound() {
    let dir = photos();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["seed", &at(&dir, "missing"), "--listen", &address], 1, "failed", "missing");
    fails(&["seed", &at(&dir, "one"), "--listen", &address], 1, "port_in_use", &address);
    fails(&["serve", "--open", "--listen", &address], 1, "port_in_use", &address);
}

#[test]
fn what_cannot_be_registered_ends_with_7() {
    let dir = photos();
    fails(&["serve", "magnet:?dn=x"], 7, "bad_link", "link");
    fails(&["serve", &at(&dir, "one")], 7, "bad_metainfo", "one");
}

#[test]
fn a_seed_listens_then_announces_and_stops_at_a_signal() {
    let dir = photos();
    let link_file = at(&dir, "link");
    let args = ["seed", &at(&dir, "one"), "--listen", "127.0.0.1:0", "--link-file", &link_file, "--json"];
    let mut seed = Running::start(&args);
    let (listening, share) = (seed.event(), seed.event());
    assert_eq!((listening["event"].as_str(), share["event"].as_str()), (Some("listening"), Some("share")));
    assert_eq!(
        (share["name"].as_str(), share["bytes"].as_u64(), share["pieces"].as_u64()),
        (Some("one"), Some(3), Some(1))
    );
    let link = share["link"].as_str().unwrap();
    assert!(link.ends_with(&format!("&x.pe={}", listening["addr"].as_str().unwrap())), "{link}");
    assert_eq!(fs::read_to_string(link_file).unwrap(), format!("{link}\n"));
    assert_eq!(seed.stopped_by("-TERM"), Some(0));
}

/// The project's own media were there long before the test.
#[test]
fn a_second_seed_takes_what_is_unchanged_from_the_first() {
    let dir = tempdir().unwrap();
    let (media, state) = (format!("{}/../testdata/media", env!("CARGO_MANIFEST_DIR")), at(&dir, "state"));
    let args = ["seed", &media, "--listen", "127.0.0.1:0", "--state-dir", &state, "--json"];
    let mut first = Running::start(&args);
    let (listening, share) = (first.event(), first.event());
    assert_eq!(listening["event"], "listening");
    assert_eq!(first.stopped_by("-TERM"), Some(0));
    let mut second = Running::start(&args);
    let (unchanged, _, again) = (second.event(), second.event(), second.event());
    assert_eq!((unchanged["event"].as_str(), &unchanged["bytes"]), (Some("unchanged"), &share["bytes"]));
    assert_eq!(again["id"], share["id"]);
    assert_eq!(second.stopped_by("-TERM"), Some(0));
    let mut third = Running::start(&[&args[..], &["--rehash"]].concat());
    assert_eq!(third.event()["event"], "listening");
    assert_eq!(third.stopped_by("-TERM"), Some(0));
}

#[test]
fn the_line_to_paste_is_one_word_for_a_shell() {
    let dir = photos();
    let args =
        ["seed", &at(&dir, "it's"), "--listen", "127.0.0.1:0", "--advertise", "files.example.org", "-q"];
    let mut seed = Running::start(&args);
    assert!(seed.line().starts_with("it's: 48.8 KiB, 1 file, "));
    let line = seed.line();
    let echoed = Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
    let words: Vec<String> = text(&echoed.stdout).lines().map(String::from).collect();
    assert_eq!(words[..2], ["minibit-peer", "join"]);
    assert!(words[2].starts_with("magnet:?xt=urn:btmh:1220") && words[2].contains("x.pe=files.example.org:"));
    assert_eq!(words.len(), 3);
    assert_eq!(seed.stopped_by("-INT"), Some(0));
}

#[test]
fn a_register_announces_the_link_it_was_given_with_its_own_address() {
    let mut serve = Running::start(&["serve", LINK, "--listen", "127.0.0.1:0", "-q"]);
    assert_eq!(serve.line(), "photos");
    assert!(serve.line().contains("&x.pe=127.0.0.1:"));
    assert_eq!(serve.stopped_by("-TERM"), Some(0));
    let mut told = Running::start(&["serve", LINK, "--listen", "127.0.0.1:0", "--json"]);
    let (listening, link) = (told.event(), told.event());
    assert_eq!((link["event"].as_str(), link["name"].as_str()), (Some("link"), Some("photos")));
    assert_eq!(link["peers"][0], listening["addr"]);
}
