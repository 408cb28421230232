//! A network that falls into two and grows together again: each side goes on with what it has, and then they meet.

use std::path::Path;
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

    /// From now on nothing that this side sends arrives, though it hears everything: it goes to a card that nobody has.
    fn mute(&self, side: usize) -> bool {
        self.set(
            side,
            &format!("ip neigh replace {} lladdr 02:00:00:00:00:99 nud permanent", neighbour(side)),
        )
    }

    /// What it sends arrives again.
    fn unmute(&self, side: usize) -> bool {
        self.set(side, &format!("ip neigh del {}", neighbour(side)))
    }

    fn node(&self, side: usize, place: &Path, name: &str, words: &[&str]) -> Node {
        let mut all = self.enter(side);
        all.extend(words.iter().map(|word| (*word).to_owned()));
        all.extend(["--listen".to_owned(), format!("{}:0", HOSTS[side])]);
        Node::other(place, name, "nsenter", all)
    }

    /// A slow seed of `shared` on the first side, and its link.
    fn seed(&self, place: &Path, shared: &Path) -> (Node, String) {
        let tracker = super::common::binaries::tracker();
        let seed = self.node(0, place, "seed", &[str(&tracker), "seed", str(shared), "--limit-up", "256KiB"]);
        let link = text(&seed.wait_for("share"), "link");
        (seed, link)
    }

    fn join(&self, side: usize, place: &Path, name: &str, link: &str) -> Node {
        self.node(side, place, name, &[Node::peer_program(), "join", link, "-o", name])
    }
}

/// Whom this side sends to, and over which card.
fn neighbour(side: usize) -> String {
    format!("{} dev {}", HOSTS[1 - side], ["near", "far"][side])
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
    let (_seed, link) = cable.seed(place.path(), &shared);
    let join = |side, name| cable.join(side, place.path(), name, &link);
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

/// A seed on one side and a peer on the other, when nothing arrives any more of what `silent` sends.
fn is_mended_after_silence_of(silent: usize) {
    let Some(cable) = Cable::lay() else { return };
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", 3_000_000);
    let (seed, link) = cable.seed(place.path(), &shared);
    let peer = cable.join(1, place.path(), "peer", &link);
    peer.wait_until("progress", |event| number(event, "done_bytes") > 0);
    [&seed, &peer].iter().for_each(|node| node.pass_over());
    assert!(cable.mute(silent), "one direction is cut");
    for node in [&seed, &peer] {
        node.wait_until("peer", |event| event["state"] == "gone");
    }
    assert!(!place.path().join("peer/film").exists(), "it cannot have got the rest");
    assert!(cable.unmute(silent), "the direction is whole again");
    peer.wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
}

#[test]
fn a_seed_that_hears_and_is_not_heard_is_given_up_and_gives_up_and_both_meet_again() {
    is_mended_after_silence_of(0);
}

#[test]
fn a_peer_that_hears_and_is_not_heard_is_given_up_and_gives_up_and_both_meet_again() {
    is_mended_after_silence_of(1);
}
