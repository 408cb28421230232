//! Bad lines: a middlebox between two nodes that delays, cuts, corrupts and half-closes what passes through it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::tempdir;

use super::content::{assert_same, file};
use super::node::{join, seed};

const BYTES: usize = 2_000_000;

/// What happens to the bytes that go to who dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Each part waits for so long.
    Delay(Duration),
    /// After so many bytes both directions end at once, with a reset where the system has something left to send.
    Cut(usize),
    /// One bit in so many bytes is another.
    Corrupt(usize),
    /// After so many bytes this direction ends, and the other stays open.
    HalfClose(usize),
}

/// Passes connections on to one address; ends with the test's process.
struct Middlebox {
    addr: String,
    /// How often its fault came to pass.
    faults: Arc<AtomicU32>,
}

impl Middlebox {
    fn before(target: &str, fault: Fault) -> Middlebox {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let addr = listener.local_addr().expect("it is bound").to_string();
        let faults = Arc::new(AtomicU32::new(0));
        let (target, counter) = (target.to_owned(), faults.clone());
        thread::spawn(move || {
            for dialler in listener.incoming().map_while(Result::ok) {
                if let Ok(server) = TcpStream::connect(&target) {
                    pass_on(dialler, server, fault, &counter);
                }
            }
        });
        Middlebox { addr, faults }
    }

    fn faults(&self) -> u32 {
        self.faults.load(Ordering::Relaxed)
    }
}

/// Passes both directions on, each on a thread of its own.
fn pass_on(dialler: TcpStream, server: TcpStream, fault: Fault, faults: &Arc<AtomicU32>) {
    let (Ok(mut from_dialler), Ok(mut to_server)) = (dialler.try_clone(), server.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_dialler, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let faults = faults.clone();
    thread::spawn(move || worsen(server, dialler, fault, &faults));
}

/// Passes on what the server says, as the fault has it.
fn worsen(mut server: TcpStream, mut dialler: TcpStream, fault: Fault, faults: &AtomicU32) {
    let (mut part, mut passed) = ([0; 16 * 1024], 0);
    while let Ok(count @ 1..) = server.read(&mut part) {
        let bytes = &mut part[..count];
        match fault {
            Fault::Delay(time) => thread::sleep(time),
            Fault::Corrupt(each) => {
                for at in (0..count).filter(|at| (passed + at + 1) % each == 0) {
                    bytes[at] ^= 1 << (passed % 8);
                    faults.fetch_add(1, Ordering::Relaxed);
                }
            }
            Fault::Cut(most) if passed + count > most => {
                faults.fetch_add(1, Ordering::Relaxed);
                let _ = (server.shutdown(Shutdown::Both), dialler.shutdown(Shutdown::Both));
                return;
            }
            Fault::HalfClose(most) if passed + count > most => {
                faults.fetch_add(1, Ordering::Relaxed);
                let _ = dialler.shutdown(Shutdown::Write);
                let _ = std::io::copy(&mut server, &mut std::io::sink());
                return;
            }
            Fault::Cut(_) | Fault::HalfClose(_) => {}
        }
        if matches!(fault, Fault::Delay(_)) {
            faults.fetch_add(1, Ordering::Relaxed);
        }
        if dialler.write_all(bytes).is_err() {
            return;
        }
        passed += count;
    }
    let _ = dialler.shutdown(Shutdown::Write);
}

/// The link with another address in place of the seed's, and the seed's.
fn through(link: &str, fault: Fault) -> (String, Middlebox) {
    let (share, target) = link.rsplit_once("x.pe=").expect("a link says where to begin");
    let middlebox = Middlebox::before(target, fault);
    (format!("{share}x.pe={}", middlebox.addr), middlebox)
}

/// A peer behind a middlebox ends with the right bytes.
fn arrives_through(fault: Fault) {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    let (link, middlebox) = through(&link, fault);
    join(place.path(), "peer", &link, &[]).wait_for("complete");
    assert_same(&shared, &place.path().join("peer/film"));
    assert!(middlebox.faults() > 0, "the fault never came to pass");
}

#[test]
fn a_line_that_delays_everything_brings_everything() {
    arrives_through(Fault::Delay(Duration::from_millis(30)));
}

#[test]
fn a_line_that_is_cut_again_and_again_brings_everything() {
    arrives_through(Fault::Cut(700_000));
}

#[test]
fn a_line_that_ends_in_one_direction_is_taken_for_one_that_ended() {
    arrives_through(Fault::HalfClose(700_000));
}

#[test]
fn what_a_line_corrupts_is_never_kept_and_comes_from_elsewhere() {
    let place = tempdir().expect("a folder");
    let shared = file(place.path(), "film", BYTES);
    let (_seed, link) = seed(place.path(), &shared, &[]);
    // Slow enough not to give everything before the corrupt line gave anything.
    let other = join(place.path(), "other", &link, &["--limit-up", "512KiB"]);
    other.wait_for("complete");
    let (link, middlebox) = through(&link, Fault::Corrupt(20_000));
    let peer = join(place.path(), "peer", &link, &[]);
    peer.wait_for("complete");
    assert!(middlebox.faults() > 0, "the fault never came to pass");
    assert_same(&shared, &place.path().join("peer/film"));
    assert_same(&shared, &place.path().join("other/film"));
}
