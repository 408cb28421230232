//! A network that falls into two and grows together again: each side goes on with what it has, and then they meet.

use std::process::{Command, Stdio};

use tempfile::tempdir;

use super::common::outside::Foreign;
use super::content::{assert_same, file};
use super::node::{Node, number, str, text};

/// Two networks with a cable between them, seen by nobody else.
struct Cable {
    sides: [Foreign; 2],
}

const HOSTS: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

impl Cable {
    /// None, and it says so, where the machine does not let us.
    fn lay() -> Option<Cable> {
        let one = holder(Command::new("unshare").args(["--user", "--map-root-user", "--net"]))?;
        let pid = one.0.id().to_string();
        let user = ["--target", &pid, "--user", "--preserve-credentials"];
        let other = holder(Command::new("nsenter").args(user).args(["unshare", "--net"]))?;
        let cable = Cable { sides: [one, other] };
        let far = cable.sides[1].0.id().to_string();
        let laid = [0, 1].iter().all(|side| cable.set(*side, "ip link set lo up"))
            && cable.set(0, &format!("ip link add near type veth peer name far netns {far}"))
            && cable.set(0, &format!("ip addr add {}/24 dev near && ip link set near up", HOSTS[0]))
            && cable.set(1, &format!("ip addr add {}/24 dev far && ip link set far up", HOSTS[1]));
        if !laid {
            eprintln!(
                "skipped: this machine lets nobody lay a cable between two network namespaces (ip link add type veth)"
            );
        }
        laid.then_some(cable)
    }

    /// How to enter a side.
    fn enter(&self, side: usize) -> Vec<String> {
        let pid = self.sides[side].0.id().to_string();
        ["--target", &pid, "--user", "--net", "--preserve-credentials"].map(str::to_owned).to_vec()
    }

    /// Whether the machine did as told, on that side.
    fn set(&self, side: usize, script: &str) -> bool {
        let mut command = Command::new("nsenter");
        command.args(self.enter(side)).args(["sh", "-c", script]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn node(&self, side: usize, place: &std::path::Path, name: &str, words: &[&str]) -> Node {
        let mut all = self.enter(side);
        all.extend(words.iter().map(|word| (*word).to_owned()));
        all.extend(["--listen".to_owned(), format!("{}:0", HOSTS[side])]);
        Node::other(place, name, "nsenter", all)
    }
}

/// A process that keeps a namespace, which `enter` makes, until it is dropped.
fn holder(enter: &mut Command) -> Option<Foreign> {
    let script = "echo here && exec sleep 3600";
    let piped =
        enter.args(["sh", "-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut holder = piped.spawn().ok().map(Foreign)?;
    let mut said = std::io::BufReader::new(holder.0.stdout.take().expect("it was piped above"));
    let mut line = String::new();
    let there = std::io::BufRead::read_line(&mut said, &mut line).is_ok_and(|count| count > 0);
    if !there {
        eprintln!("skipped: this machine lets nobody make a network namespace (unshare --user --net)");
    }
    there.then_some(holder)
}

#[test]
fn two_sides_of_a_cut_network_go_on_and_meet_again() {
    let Some(cable) = Cable::lay() else { return };
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 6_000_000);
    let tracker = super::common::binaries::tracker();
    let words = [str(&tracker), "seed", str(&shared), "--limit-up", "256KiB"];
    let seed = cable.node(0, place.path(), "seed", &words);
    let link = text(&seed.wait_for("share"), "link");
    let join =
        |side, name| cable.node(side, place.path(), name, &[Node::peer_program(), "join", &link, "-o", name]);
    let (near, far) = (join(0, "near"), join(1, "far"));
    far.wait_until("progress", |event| number(event, "done_bytes") > 0);
    assert!(cable.set(0, "ip link set near down"), "the cable is cut");
    far.wait_until("peer", |event| event["state"] == "gone");
    near.wait_for("complete");
    assert!(!place.path().join("far/film").exists(), "it cannot have got the rest");
    assert!(cable.set(0, "ip link set near up"), "the cable is whole again");
    far.wait_for("complete");
    for name in ["near", "far"] {
        assert_same(&shared, &place.path().join(name).join("film"));
    }
}
