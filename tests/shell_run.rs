//! A whole run over real sockets: what it says to strangers, what it serves, and what it leaves behind.

#![cfg(feature = "net")]
#![allow(clippy::unwrap_used)]

mod shell;

use std::path::Path;
use std::time::{Duration, Instant};

use minibit::content::Block;
use minibit::ids::ShareId;
use minibit::net::RunError;
use minibit::net::content::{Differing, Plan, ScanOptions, Store, StoreError, UNWATCHED, scan};
use minibit::node::NodeConfig;
use minibit::wire::{ErrorCode, Message, Role};
use shell::{Peer, Run, described, endpoint, holding, joining, line, registering, wait_for};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

const FILE_BYTES: usize = 3_000_000;

fn content() -> Vec<u8> {
    (0..FILE_BYTES).map(|at| (at % 65_521).to_le_bytes()[at % 2]).collect()
}

fn shared_file() -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), content()).unwrap();
    dir
}

/// A task that was waited for has ended, but the runtime strikes it off its list only just after.
async fn no_task_is_left() {
    let struck_off = async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), struck_off).await.expect("no task is left alive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_goes_from_one_run_to_another_and_no_task_is_left() {
    let (from, to) = (shared_file(), TempDir::new().unwrap());
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (peer, mut downloading) = Run::new(joining(seed.share, to.path(), vec![endpoint(seed.addr)]));
    let story = async {
        wait_for(&mut downloading.views, |view| view.complete).await;
        assert!(std::fs::read(to.path().join("file")).unwrap() == content(), "the same bytes");
        downloading.stop.cancel();
        seeding.stop.cancel();
    };
    let (seeded, downloaded, ()) = tokio::join!(seed.run(), peer.run(), story);
    seeded.unwrap();
    downloaded.unwrap();
    no_task_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_peers_get_the_same_bytes_from_a_tracker_and_each_other() {
    let from = shared_file();
    let as_tracker = |config: &mut NodeConfig| config.role = Role::Tracker;
    let (seed, seeding) = Run::with(holding(&from.path().join("file")), as_tracker);
    let places: Vec<TempDir> = (0..4).map(|_| TempDir::new().unwrap()).collect();
    let mut peers = JoinSet::new();
    for place in &places {
        let (peer, mut held) = Run::new(joining(seed.share, place.path(), vec![endpoint(seed.addr)]));
        peers.spawn(async move {
            let complete = async {
                wait_for(&mut held.views, |view| view.complete).await;
                held.stop.cancel();
            };
            tokio::join!(peer.run(), complete).0.unwrap();
        });
    }
    let story = async {
        while let Some(ended) = peers.join_next().await {
            ended.unwrap();
        }
        seeding.stop.cancel();
    };
    tokio::join!(seed.run(), story).0.unwrap();
    for place in &places {
        assert!(std::fs::read(place.path().join("file")).unwrap() == content(), "the same bytes");
    }
    no_task_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_was_stopped_goes_on_from_what_it_has() {
    let (from, to) = (shared_file(), TempDir::new().unwrap());
    let slowly = |config: &mut NodeConfig| config.limit_up = Some(200_000);
    let (slow, seeding_slowly) = Run::with(holding(&from.path().join("file")), slowly);
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (first, mut begun) = Run::new(joining(seed.share, to.path(), vec![endpoint(slow.addr)]));
    let (second, mut resumed) = Run::new(joining(seed.share, to.path(), vec![endpoint(seed.addr)]));
    let story = async {
        let some = async {
            wait_for(&mut begun.views, |view| view.done_bytes > 0).await;
            begun.stop.cancel();
        };
        tokio::join!(first.run(), some).0.unwrap();
        assert!(!to.path().join("file").exists(), "not in its place before it is whole");
        let rest = async {
            wait_for(&mut resumed.views, |view| view.prepared).await;
            assert!(resumed.views.borrow()[0].done_bytes > 0, "what was verified before counts");
            wait_for(&mut resumed.views, |view| view.complete).await;
            resumed.stop.cancel();
        };
        tokio::join!(second.run(), rest).0.unwrap();
        seeding_slowly.stop.cancel();
        seeding.stop.cancel();
    };
    let (slowly, quickly, ()) = tokio::join!(slow.run(), seed.run(), story);
    slowly.and(quickly).unwrap();
    assert!(std::fs::read(to.path().join("file")).unwrap() == content(), "the same bytes");
    no_task_is_left().await;
}

/// A run that ended in order and vouches for a piece of which every byte is wrong by now.
fn leave_wrong_piece(path: &Path, dir: &Path) {
    let metainfo = scan(path, ScanOptions::default(), UNWATCHED).unwrap().metainfo;
    let plan = Plan { dir: dir.to_owned(), select: Vec::new(), differing: Differing::Refused };
    let (store, _) = Store::open(&plan, metainfo.clone(), UNWATCHED).unwrap();
    let piece = store.wanted().iter().next().unwrap();
    let length = metainfo.geometry().length(piece);
    store.write(Block { piece, start: 0, length }, &vec![9; length as usize]).unwrap();
    assert!(store.count(piece).is_empty(), "the file is not whole by it");
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_run_vouched_for_and_is_wrong_is_fetched_again_before_the_file_takes_its_place() {
    let (from, to) = (shared_file(), TempDir::new().unwrap());
    leave_wrong_piece(&from.path().join("file"), to.path());
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (peer, mut downloading) = Run::new(joining(seed.share, to.path(), vec![endpoint(seed.addr)]));
    let story = async {
        wait_for(&mut downloading.views, |view| view.complete && to.path().join("file").exists()).await;
        downloading.stop.cancel();
        seeding.stop.cancel();
    };
    let (seeded, downloaded, ()) = tokio::join!(seed.run(), peer.run(), story);
    seeded.and(downloaded).unwrap();
    assert!(std::fs::read(to.path().join("file")).unwrap() == content(), "the same bytes");
    assert!(!to.path().join(".minibit").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_the_check_of_what_is_there_and_leaves_no_lock() {
    let to = TempDir::new().unwrap();
    std::fs::File::create(to.path().join("file")).unwrap().set_len(100_000_000).unwrap();
    let (peer, mut checking) = Run::new(described(&to.path().join("file"), to.path()));
    let story = async {
        checking.checking.wait_for(Option::is_some).await.unwrap();
        checking.stop.cancel();
    };
    tokio::join!(peer.run(), story).0.unwrap();
    assert!(!checking.views.borrow()[0].prepared, "the check was not waited for");
    assert!(!to.path().join(".minibit").exists(), "the check is over, and its room gone with it");
    no_task_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_is_closed_without_a_word() {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let addr = seed.addr;
    let story = async {
        let mut peer = Peer::connect(addr).await;
        peer.stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(peer.rest().await.is_empty());
        seeding.stop.cancel();
    };
    tokio::join!(seed.run(), story).0.unwrap();
    no_task_is_left().await;
}

/// What a stranger who greets a seed and then says `bytes` hears last.
async fn last_word_after(bytes: Vec<u8>) -> Option<Message> {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (addr, share) = (seed.addr, seed.share);
    let story = async {
        let mut peer = Peer::connect(addr).await;
        peer.greet(share).await;
        let _ = peer.stream.write_all(&bytes).await;
        let last = peer.rest().await.pop();
        seeding.stop.cancel();
        last
    };
    let (ended, last) = tokio::join!(seed.run(), story);
    ended.unwrap();
    no_task_is_left().await;
    last
}

fn is_protocol_error(message: Option<&Message>) -> bool {
    matches!(message, Some(Message::Error { code: ErrorCode::Protocol, .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_too_long_is_answered_with_an_error() {
    let last = last_word_after(vec![b' '; 70_000]).await;
    assert!(is_protocol_error(last.as_ref()), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_over_the_limit_is_answered_with_an_error_before_it_is_sent() {
    let bytes = b"{\"tipo\":\"BLOCO\",\"bloco\":0,\"inicio\":0,\"tamanho\":1048577}\n".to_vec();
    let last = last_word_after(bytes).await;
    assert!(is_protocol_error(last.as_ref()), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greeting_split_at_every_byte_is_understood() {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (addr, share) = (seed.addr, seed.share);
    let story = async {
        let mut peer = Peer::connect(addr).await;
        for byte in line(&registering(share)) {
            peer.stream.write_all(&[byte]).await.unwrap();
        }
        assert!(matches!(peer.message().await, Some(Message::Register { .. })));
        seeding.stop.cancel();
    };
    tokio::join!(seed.run(), story).0.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_to_the_share_is_told_so() {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let addr = seed.addr;
    let story = async {
        let mut peer = Peer::connect(addr).await;
        peer.stream.write_all(&line(&registering(ShareId([9; 32])))).await.unwrap();
        let last = peer.rest().await.pop();
        assert!(matches!(last, Some(Message::Error { code: ErrorCode::NoSuchShare, .. })), "{last:?}");
        seeding.stop.cancel();
    };
    tokio::join!(seed.run(), story).0.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_silent_connections_do_not_keep_the_next_from_being_served() {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (addr, share) = (seed.addr, seed.share);
    let story = async {
        let mut silent = Vec::new();
        for _ in 0..100 {
            silent.push(Peer::connect(addr).await);
        }
        Peer::connect(addr).await.greet(share).await;
        seeding.stop.cancel();
    };
    tokio::join!(seed.run(), story).0.unwrap();
    no_task_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lasts_at_most_two_seconds_though_a_peer_reads_nothing() {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (addr, share) = (seed.addr, seed.share);
    let story = async {
        let mut peer = Peer::connect(addr).await;
        peer.greet(share).await;
        peer.say(&Message::Interested).await;
        while !matches!(peer.message().await, Some(Message::Unchoke)) {}
        for _ in 0..400 {
            peer.say(&Message::Request { piece: 0, start: 0, length: 16384 }).await;
        }
        assert!(matches!(peer.message().await, Some(Message::Block { .. } | Message::Suggest { .. })));
        seeding.stop.cancel();
        (peer, Instant::now())
    };
    let (ended, (_peer, asked)) = tokio::join!(seed.run(), story);
    ended.unwrap();
    assert!(asked.elapsed() <= Duration::from_secs(2), "{:?}", asked.elapsed());
    no_task_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_run_says_goodbye_and_listens_no_more() {
    let from = shared_file();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (addr, share) = (seed.addr, seed.share);
    let story = async {
        let mut peer = Peer::connect(addr).await;
        peer.greet(share).await;
        seeding.stop.cancel();
        assert_eq!(peer.rest().await.pop(), Some(Message::Goodbye));
    };
    tokio::join!(seed.run(), story).0.unwrap();
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_would_overwrite_ends_the_run_with_that() {
    let (from, to) = (shared_file(), TempDir::new().unwrap());
    std::fs::write(to.path().join("file"), "something of one's own").unwrap();
    let (seed, seeding) = Run::new(holding(&from.path().join("file")));
    let (peer, _downloading) = Run::new(joining(seed.share, to.path(), vec![endpoint(seed.addr)]));
    let refused = async {
        let ended = peer.run().await;
        seeding.stop.cancel();
        ended
    };
    let (seeded, ended) = tokio::join!(seed.run(), refused);
    seeded.unwrap();
    assert!(matches!(ended, Err(RunError::Store(StoreError::WouldOverwrite { .. }))), "{ended:?}");
    assert_eq!(std::fs::read(to.path().join("file")).unwrap(), b"something of one's own");
    no_task_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_was_taken_away_ends_the_run_with_that_and_leaves_no_task() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let bytes = content();
    for name in 0..40 {
        std::fs::write(from.path().join(name.to_string()), &bytes[..20_000]).unwrap();
    }
    let slowly = |config: &mut NodeConfig| config.limit_up = Some(400_000);
    let (seed, seeding) = Run::with(holding(from.path()), slowly);
    let (peer, mut downloading) = Run::new(joining(seed.share, to.path(), vec![endpoint(seed.addr)]));
    let story = async {
        let pull = async {
            wait_for(&mut downloading.views, |view| view.done_bytes > 0).await;
            while to.path().join(".minibit").exists() {
                let _ = std::fs::remove_dir_all(to.path().join(".minibit")); // may meet a file just made
            }
        };
        let (ended, ()) = tokio::join!(peer.run(), pull);
        seeding.stop.cancel();
        ended
    };
    let (seeded, ended) = tokio::join!(seed.run(), story);
    seeded.unwrap();
    assert!(
        matches!(&ended, Err(RunError::Store(StoreError::Refused(why))) if why.contains("taken away")),
        "{ended:?}"
    );
    no_task_is_left().await;
}
