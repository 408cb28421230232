//! The command line of `minibit-peer`: what it says, how it ends, what it refuses.

#![allow(clippy::unwrap_used, reason = "a test may end with a panic")]

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

const LINK: &str =
    "magnet:?xt=urn:btmh:1220abababababababababababababababababababababababababababababababab&dn=photos";

fn peer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_minibit-peer"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("MINIBIT_")) {
            command.env_remove(name);
        }
    }
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    command
}

fn run<S: AsRef<OsStr>>(args: &[S]) -> Output {
    peer().args(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn events(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn event<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().find(|event| event["event"] == name).unwrap_or_else(|| panic!("no {name} in {events:?}"))
}

/// Ends with `exit`, one `error:` line that says `text`, and with `--json` an event with `word`.
fn fails(args: &[&str], exit: i32, word: &str, text: &str) {
    let plain = run(args);
    assert_eq!(code(&plain), exit, "{args:?}: {}", err(&plain));
    let errors: Vec<String> =
        err(&plain).lines().filter(|line| line.starts_with("error: ")).map(String::from).collect();
    assert_eq!(errors.len(), 1, "{args:?}: {}", err(&plain));
    assert!(errors[0].contains(text), "{args:?}: {}", errors[0]);
    let json = run(&[args, &["--json"]].concat());
    assert_eq!(code(&json), exit);
    assert_eq!(event(&events(&json), "error")["code"], word, "{args:?}");
}

/// A folder with two files in it, one of them in a folder, and an empty one.
fn photos() -> TempDir {
    let dir = tempdir().unwrap();
    let folder = dir.path().join("photos");
    fs::create_dir_all(folder.join("sea")).unwrap();
    fs::write(folder.join("a.jpg"), vec![7; 50_000]).unwrap();
    fs::write(folder.join("sea/b.jpg"), b"waves").unwrap();
    fs::write(folder.join("sea/none"), b"").unwrap();
    dir
}

fn at(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

fn created(dir: &TempDir) -> String {
    let file = at(dir, "photos.torrent");
    let output = run(&["create", &at(dir, "photos"), "-o", &file]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    file
}

#[test]
fn every_help_has_examples_and_every_exit_code() {
    for command in [
        &["--help"][..],
        &["join", "--help"],
        &["share", "--help"],
        &["create", "--help"],
        &["show", "--help"],
        &["verify", "--help"],
    ] {
        let output = run(command);
        assert_eq!(code(&output), 0);
        let help = out(&output);
        assert!(help.contains("Examples:\n  minibit-peer "), "{command:?}");
        for number in 0..=7 {
            assert!(help.contains(&format!("\n  {number}  ")), "{command:?} {number}");
        }
    }
}

#[test]
fn a_command_line_that_makes_no_sense_ends_with_2() {
    for args in [
        &["frobnicate"][..],
        &["join"],
        &["join", LINK, "--limit-up", "fast"],
        &["join", LINK, "--leave-when-complete", "--seed-for", "5m"],
        &["join", LINK, "--seed-for", "5"],
        &["join", LINK, "--peer", "127.0.0.1:9", "--select", "["],
        &["create", "photos"],
        &["create", "photos", "-o", "x", "--piece-size", "5"],
        &["share", "photos"],
        &["share", "photos", "--tracker", "nowhere"],
    ] {
        let output = run(args);
        assert_eq!(code(&output), 2, "{args:?}");
        assert!(err(&output).starts_with("error: "), "{args:?}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
    let json = run(&["join", "--json"]);
    assert_eq!(event(&events(&json), "error")["code"], "usage");
    let by_its_twin = peer().arg("join").env("MINIBIT_JSON", "1").output().unwrap();
    assert_eq!(event(&events(&by_its_twin), "error")["code"], "usage");
}

#[test]
fn a_link_that_leads_nowhere_asks_for_a_peer() {
    fails(&["join", LINK], 2, "usage", "nobody to ask");
    assert!(err(&run(&["join", LINK])).contains("hint: name one with --peer HOST:PORT"));
}

#[test]
fn a_bad_link_ends_with_7() {
    for link in [
        "magnet:",
        "magnet:?dn=photos",
        "magnet:?xt=urn:btih:abab",
        "MAGNET:?xt=urn:btmh:1220ab",
        "http://a.example/b.torrent",
    ] {
        fails(&["join", link, "--peer", "127.0.0.1:9"], 7, "bad_link", "link");
        fails(&["show", link], 7, "bad_link", "link");
    }
}

#[test]
fn a_bad_metainfo_file_ends_with_7() {
    let dir = photos();
    for bytes in [&b""[..], b"de", b"not a metainfo file", b"d4:infod4:name1:aee"] {
        fs::write(at(&dir, "bad.torrent"), bytes).unwrap();
        for command in ["join", "show"] {
            fails(
                &[command, &at(&dir, "bad.torrent"), "--peer", "127.0.0.1:9"],
                7,
                "bad_metainfo",
                "bad.torrent",
            );
        }
    }
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let dir = photos();
    let missing = at(&dir, "missing");
    fails(&["join", &missing, "--peer", "127.0.0.1:9"], 1, "failed", "missing");
    fails(&["show", &missing], 1, "failed", "missing");
    fails(&["create", &missing, "-o", &at(&dir, "x")], 1, "failed", "missing");
    fails(&["share", &missing, "--tracker", "127.0.0.1:9"], 1, "failed", "missing");
    fails(&["verify", &missing, &created(&dir)], 1, "failed", "missing");
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let dir = photos();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["join", LINK, "--peer", "127.0.0.1:9", "--listen", &address], 1, "port_in_use", &address);
    fails(
        &["share", &at(&dir, "photos"), "--tracker", "127.0.0.1:9", "--listen", &address],
        1,
        "port_in_use",
        &address,
    );
    let output = run(&["join", LINK, "--peer", "127.0.0.1:9", "--listen", &address]);
    assert!(err(&output).contains("hint: ") && err(&output).contains("--listen"), "{}", err(&output));
}

/// The superuser may read everything: then somebody else tries.
#[test]
fn an_unreadable_file_is_named_while_hashing() {
    let dir = photos();
    fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(dir.path().join("photos/a.jpg"), PermissionsExt::from_mode(0o000)).unwrap();
    let mut command = peer();
    if fs::metadata(dir.path()).unwrap().uid() == 0 {
        let program = dir.path().join("program");
        // Another process copies: a test beside this one that forks would keep our own copy open for writing.
        let copied =
            Command::new("cp").arg(env!("CARGO_BIN_EXE_minibit-peer")).arg(&program).status().unwrap();
        assert!(copied.success());
        command = Command::new(program);
        command.uid(65_534);
    }
    let output = command
        .arg("create")
        .arg(dir.path().join("photos"))
        .arg("-o")
        .arg(dir.path().join("never"))
        .output()
        .unwrap();
    assert_eq!(code(&output), 1);
    assert!(
        err(&output).starts_with("error: cannot read '") && err(&output).contains("a.jpg"),
        "{}",
        err(&output)
    );
    assert!(!dir.path().join("never").exists());
}

#[test]
fn nobody_within_the_timeout_ends_with_4() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let dir = tempdir().unwrap();
    let place = dir.path().to_str().unwrap();
    fails(&["join", LINK, "--peer", &closed, "-o", place, "--timeout", "0s"], 4, "no_peer", &closed);
}

/// The disk is slower than a timeout of nothing: whoever has it all needs nobody.
#[test]
fn what_is_all_there_needs_no_peer_within_the_timeout() {
    let dir = photos();
    let file = created(&dir);
    let output = run(&["join", &file, "-o", &at(&dir, ""), "--timeout", "0s", "--leave-when-complete"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("all of it was there already"), "{}", out(&output));
}

#[test]
fn who_may_connect_is_told_an_address_that_leads_here() {
    let dir = photos();
    let file = created(&dir);
    let words =
        ["join", &file, "-o", &at(&dir, ""), "--leave-when-complete", "--advertise", "files.example.org"];
    let talk = err(&run(&words));
    assert!(talk.contains("--peer files.example.org:"), "{talk}");
}

#[test]
fn a_share_that_was_described_is_shown_and_verifies() {
    let dir = photos();
    let file = created(&dir);
    let shown = run(&["show", &file]);
    assert_eq!(code(&shown), 0);
    assert!(out(&shown).contains("name    photos\n"), "{}", out(&shown));
    assert!(
        out(&shown).contains("50000  a.jpg\n") && out(&shown).contains("5  sea/b.jpg\n"),
        "{}",
        out(&shown)
    );
    let verified = run(&["verify", &at(&dir, "photos"), &file]);
    assert_eq!((code(&verified), out(&verified).as_str()), (0, "3 files, 50005 bytes: all right\n"));
    let json = events(&run(&["show", &file, "--json"]));
    assert!(json.iter().all(|event| event["v"] == 1));
    assert_eq!(event(&json, "share")["bytes"], 50_005);
    assert_eq!(json.iter().filter(|event| event["event"] == "file").count(), 3);
}

/// The project's own media, which were there long before the test.
fn media() -> String {
    format!("{}/../testdata/media", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_was_hashed_before_is_taken_as_unchanged_unless_it_is_distrusted() {
    let dir = tempdir().unwrap();
    let file = at(&dir, "media.torrent");
    let create = |words: &[&str]| {
        let known = ["create", &media(), "-o", &file, "--force"];
        let output = peer().args(known).args(words).env("XDG_STATE_HOME", dir.path()).output().unwrap();
        assert_eq!(code(&output), 0, "{}", err(&output));
        (output, fs::read(&file).unwrap())
    };
    let taken = "taken as unchanged: 4 files, 4.17 MiB (--rehash reads them again)\n";
    let (first, described) = create(&[]);
    assert!(!err(&first).contains("unchanged"), "{}", err(&first));
    let (second, same) = create(&[]);
    assert!(err(&second).ends_with(taken), "{}", err(&second));
    assert_eq!(same, described);
    let json = events(&create(&["--json"]).0);
    let unchanged = event(&json, "unchanged");
    assert_eq!(
        (unchanged["files"].as_u64(), unchanged["bytes"].as_u64()),
        (Some(4), event(&json, "share")["bytes"].as_u64())
    );
    let (distrusting, same) = create(&["--rehash"]);
    assert!(!err(&distrusting).contains("unchanged"), "{}", err(&distrusting));
    assert_eq!(same, described);
    let elsewhere = create(&["--state-dir", &at(&dir, "elsewhere")]).0;
    assert!(!err(&elsewhere).contains("unchanged"), "{}", err(&elsewhere));
    for folder in ["minibit/minibit-hashes", "elsewhere/minibit-hashes"] {
        assert_eq!(fs::read_dir(dir.path().join(folder)).unwrap().count(), 1, "{folder}");
    }
}

#[test]
fn a_damaged_file_is_found_with_its_bytes() {
    let dir = photos();
    let file = created(&dir);
    let mut bytes = vec![7; 50_000];
    bytes[20_000] = 8;
    fs::write(dir.path().join("photos/a.jpg"), bytes).unwrap();
    fs::remove_file(dir.path().join("photos/sea/b.jpg")).unwrap();
    let verified = run(&["verify", &at(&dir, "photos"), &file]);
    assert_eq!(code(&verified), 1);
    let text = out(&verified);
    assert!(text.contains("a.jpg: bytes 16384 to 32768 differ\n"), "{text}");
    assert!(text.contains("sea/b.jpg: missing\n"), "{text}");
    let json = events(&run(&["verify", &at(&dir, "photos"), &file, "--json"]));
    assert_eq!(event(&json, "verified")["bad_files"], 2);
}

#[test]
fn a_metainfo_file_that_is_there_is_replaced_only_by_force() {
    let dir = photos();
    let file = created(&dir);
    fs::write(&file, b"mine").unwrap();
    fails(&["create", &at(&dir, "photos"), "-o", &file], 6, "would_overwrite", "photos.torrent");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(code(&run(&["create", &at(&dir, "photos"), "-o", &file, "--force"])), 0);
    assert!(fs::read(&file).unwrap().starts_with(b"d"));
}

#[test]
fn an_option_may_stand_in_the_environment() {
    let dir = photos();
    let command = |size: &str| {
        let mut command = peer();
        command.args(["create", &at(&dir, "photos"), "--force"]).env("MINIBIT_OUTPUT", at(&dir, "x.torrent"));
        command.env("MINIBIT_JSON", "1").env("MINIBIT_PIECE_SIZE", size).output().unwrap()
    };
    let pieces = |size: &str| event(&events(&command(size)), "share")["pieces"].clone();
    assert_eq!(pieces("16KiB"), 5);
    assert_eq!(pieces("64KiB"), 2);
}

#[test]
fn a_switch_that_the_environment_turns_off_is_off() {
    let dir = photos();
    let file = created(&dir);
    let mut command = peer();
    command.args(["join", &file, "-o", &at(&dir, ""), "--seed-for", "0s"]);
    let output = command.env("MINIBIT_LEAVE_WHEN_COMPLETE", "0").output().unwrap();
    assert_eq!(code(&output), 0, "{}", err(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = photos();
    let file = created(&dir);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = peer().args(["show", &file]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    let dir = photos();
    let file = created(&dir);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = peer().args(["show", &file]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(code(&output), 1);
    let why = "warning: cannot write to stdout, where nothing more is told: No space left on device (os error 28)\n";
    assert_eq!(err(&output), why);
}

#[test]
fn a_link_shows_what_it_says_when_nobody_answers() {
    let link = format!("{LINK}&x.pe=127.0.0.1:9");
    let output = run(&["show", &link, "--timeout", "0s"]);
    assert_eq!(code(&output), 0);
    assert!(out(&output).contains("called  photos\nask     127.0.0.1:9\n"), "{}", out(&output));
}
