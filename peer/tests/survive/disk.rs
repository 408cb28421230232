//! Disks that are full or become so, and folders that cannot be written: told in one line, and nothing that was got is lost.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use super::common::outside::{Foreign, may_mount};
use super::content::{assert_same, file, noise, write};
use super::node::{ANYWHERE, Node, number, seed, str};

/// A file system of so many bytes in memory, seen only by those who are sent there.
struct SmallDisk {
    holder: Foreign,
    path: PathBuf,
}

impl SmallDisk {
    /// At `path`; none, and it says so, where the machine does not let us.
    fn mount(path: &Path, options: &str) -> Option<SmallDisk> {
        if !may_mount() {
            return None;
        }
        fs::create_dir(path).expect("the folder can be made");
        let script = format!("mount -t tmpfs -o {options} none \"$0\" && echo mounted && exec sleep 3600");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, str(path)]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it was tried before");
        let mut holder = Foreign(child);
        let said = holder.0.stdout.take().expect("it was piped above");
        let line = BufReader::new(said).lines().next().and_then(Result::ok);
        assert_eq!(line.as_deref(), Some("mounted"));
        Some(SmallDisk { holder, path: path.to_owned() })
    }

    /// A peer that downloads onto it.
    fn join(&self, link: &str) -> Node {
        let name = self.path.file_name().and_then(|name| name.to_str()).expect("a plain name");
        self.peer(name, &[&["join", link, "-o", str(&self.path)], &ANYWHERE[..]].concat())
    }

    /// Another errand of a peer that sees it.
    fn peer(&self, name: &str, words: &[&str]) -> Node {
        let place = self.path.parent().expect("it lies in a folder");
        let pid = self.holder.0.id().to_string();
        let entered = ["--target", &pid, "--user", "--mount", "--preserve-credentials", Node::peer_program()];
        Node::other(place, name, "nsenter", [&entered[..], words].concat())
    }

    /// The file `name` on it, as seen from here.
    fn file(&self, name: &str) -> PathBuf {
        let below = self.path.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.0.id().to_string()).join("root").join(below).join(name)
    }

    /// Takes what room is left.
    fn fill(&self) {
        let mut ballast = File::create(self.file("ballast")).expect("it is ours");
        while ballast.write_all(&[7; 4096]).is_ok() {}
    }
}

#[test]
fn a_disk_that_becomes_full_is_told_in_one_line_and_the_download_goes_on_when_there_is_room() {
    let place = tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "size=6000000") else { return };
    let shared = file(place.path(), "film", 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &["--limit-up", "512KiB"]);
    let peer = disk.join(&link);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    disk.fill();
    let said = peer.trouble();
    assert!(said.contains(str(&disk.path)) && !said.contains('\n'), "one line that says where: {said}");
    assert!(said.contains("more are needed"), "and how much: {said}");
    fs::remove_file(disk.file("ballast")).expect("it is ours");
    peer.wait_for("complete");
    assert_same(&shared, &disk.file("film"));
}

/// As where a log fills the disk that it is on.
#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_takes_nothing_ends_no_download_and_is_told_once() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let here = place.path().join("here");
    let words = [&["join", &link, "-o", str(&here), "--leave-when-complete", "--json"], &ANYWHERE[..]];
    let full = File::options().write(true).open("/dev/full").expect("it is there");
    let output = Command::new(Node::peer_program()).args(words.concat()).stdout(full).output();
    let output = output.expect("the program can be started");
    assert_same(&shared, &here.join("film"));
    assert_eq!(output.status.code(), Some(1), "a result is lost");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("cannot write to stdout").count(), 1, "{said}");
}

#[test]
fn a_share_that_does_not_fit_is_refused_before_it_begins() {
    let place = tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "size=1000000") else { return };
    let shared = file(place.path(), "film", 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let end = disk.join(&link).end();
    assert_eq!(end.code, Some(5), "{}", end.talk);
    let error = end.events.iter().find(|event| event["event"] == "error").expect("it says why");
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("make room")),
        "and what to do: {error}"
    );
}

#[test]
fn a_copy_on_two_file_systems_is_mended_only_where_files_can_be_moved_and_nothing_is_changed() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("tree");
    ["a", "sub/b"].iter().for_each(|name| write(&shared.join(name), &noise(5, 100_000)));
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let copy = place.path().join("peer/tree");
    let wrong = noise(6, 100_000);
    write(&copy.join("a"), &wrong);
    let Some(disk) = SmallDisk::mount(&copy.join("sub"), "size=1000000") else { return };
    fs::write(disk.file("b"), &wrong).expect("it is ours");
    let end = disk.peer("repair", &["verify", "--repair", str(&copy), &link]).end();
    assert_eq!(end.code, Some(1), "{}", end.talk);
    assert!(end.talk.contains("another file system"), "{}", end.talk);
    assert!(fs::read(copy.join("a")).expect("a file") == wrong);
    assert!(fs::read(disk.file("b")).expect("a file") == wrong);
    assert!(!place.path().join("peer/.minibit").exists(), "nothing is left behind");
}

#[test]
fn a_copy_on_a_full_disk_is_not_mended_where_that_takes_room_and_nothing_is_left_behind() {
    let place = tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "size=1000000") else { return };
    let shared = place.path().join("tree");
    ["a", "b"].iter().for_each(|name| write(&shared.join(name), &noise(5, 100_000)));
    let (_seed, link) = seed(place.path(), &shared, &[]);
    fs::create_dir(disk.file("tree")).expect("it is ours");
    fs::write(disk.file("tree/a"), noise(6, 100_000)).expect("it is ours");
    disk.fill();
    let end = disk.peer("repair", &["verify", "--repair", str(&disk.path), &link]).end();
    assert_eq!(end.code, Some(5), "{}", end.talk);
    assert!(!disk.file(".minibit").exists(), "nothing is left behind");
}

/// As FAT32 says of the first byte after 4 GiB; a limit on the size of files says it sooner.
#[test]
fn a_file_larger_than_the_disk_can_hold_is_told_before_anything_is_fetched() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let script = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"";
    let words = ["-c", script, Node::peer_program(), "join", &link, "-o", "peer"];
    let end = Node::other(place.path(), "peer", "sh", [&words[..], &ANYWHERE[..]].concat()).end();
    assert_eq!(end.code, Some(1), "{}", end.talk);
    let errors: Vec<&str> = end.talk.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(matches!(errors[..], [line] if line.contains("too large")), "one line: {}", end.talk);
    let has_begun = |event: &Value| event["event"] == "progress" && number(event, "done_bytes") > 0;
    assert!(!end.events.iter().any(has_begun), "{}", end.talk);
}

#[test]
fn a_file_system_that_cannot_be_written_is_named_at_once() {
    let place = tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(&place.path().join("disk"), "ro") else { return };
    let shared = file(place.path(), "film", 300_000);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let end = disk.join(&link).end();
    assert!(matches!(end.code, Some(1..=5)), "{}", end.talk);
    let errors: Vec<&str> = end.talk.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(matches!(errors[..], [line] if line.contains(str(&disk.path))), "one line: {}", end.talk);
}

fn join_as_user(place: &Path, link: &str) -> Node {
    Node::powerless_peer(place, "peer", &[&["join", link, "-o", "peer"], &ANYWHERE[..]].concat())
}

/// Gives every folder at and below `path` these permissions.
fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    for entry in fs::read_dir(path).expect("a folder can be read").flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            permit(&entry.path(), mode);
        }
    }
}

#[test]
fn folders_that_become_read_only_are_told_in_one_line_and_the_download_goes_on_when_they_are_not() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("many");
    (0..60).for_each(|at| write(&shared.join(at.to_string()), &noise(at, 50_000)));
    let (_seed, link) = seed(place.path(), &shared, &["--limit-up", "512KiB"]);
    let peer = join_as_user(place.path(), &link);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    permit(&place.path().join("peer"), 0o555);
    let said = peer.trouble();
    assert!(said.contains("peer/") && !said.contains('\n'), "one line that says where: {said}");
    permit(&place.path().join("peer"), 0o755);
    peer.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/many"));
}

#[test]
fn a_final_folder_that_cannot_be_written_is_told_and_nothing_goes_on_before_it_can() {
    let place = tempdir().expect("a folder");
    let shared = place.path().join("many");
    (0..8).for_each(|at| write(&shared.join(at.to_string()), &noise(at, 50_000)));
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let folder = place.path().join("peer/many");
    fs::create_dir_all(&folder).expect("a folder");
    permit(&folder, 0o555);
    let peer = join_as_user(place.path(), &link);
    let said = peer.trouble();
    assert!(said.contains("peer/many") && said.contains("goes on by itself"), "{said}");
    assert!(peer.talk().contains(&said), "{}", peer.talk());
    // The disk takes a file elsewhere all the while, and has been tried by then.
    let since = Instant::now();
    peer.wait_until("progress", |_| since.elapsed() > Duration::from_millis(2_500));
    assert!(!peer.talk().contains("takes what it is given again"), "{}", peer.talk());
    permit(&folder, 0o755);
    assert!(peer.trouble().contains("takes what it is given again"));
    peer.wait_for("complete");
    assert_same(&shared, &folder);
}
