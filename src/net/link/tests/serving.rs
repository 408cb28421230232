//! What a link sends of a share that lies on disk.

use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use super::*;
use crate::net::content::{ScanOptions, Scanned, UNWATCHED, scan};

const CONTENT_BYTES: usize = 40_000;

fn content() -> Vec<u8> {
    (0..CONTENT_BYTES).map(|at| (at / 7).to_le_bytes()[0]).collect()
}

/// A file of 40,000 bytes, shared from where it lies.
fn shared() -> (TempDir, Scanned) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    std::fs::write(&path, content()).unwrap();
    let options = ScanOptions { piece_bytes: Some(64 * 1024), ..ScanOptions::default() };
    let scanned = scan(&path, options, UNWATCHED).unwrap();
    (dir, scanned)
}

fn letter(scanned: &Scanned, start: u64, length: u64) -> (Block, Letter) {
    let block = scanned.metainfo.geometry().block(0, start, length).unwrap();
    (block, Letter::Block { share: scanned.metainfo.share(), store: scanned.store.clone(), block })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_is_its_line_and_its_bytes_and_is_told_of_once_sent() {
    let (_dir, scanned) = shared();
    let mut bench = bench(64 * 1024);
    let (block, letter) = letter(&scanned, 16384, 23616);
    bench.link.post(Letter::Say(Message::Unchoke));
    bench.link.post(letter);
    let header = line(&Message::Block { piece: 0, start: 16384, length: 23616 });
    let expected = [&line(&Message::Unchoke), &header, &content()[16384..]].concat();
    let mut said = vec![0; expected.len()];
    bench.from_link.read_exact(&mut said).await.unwrap();
    assert!(said == expected, "the line, then the file's bytes");
    assert!(matches!(bench.event().await, Event::Served { block: of, sent: true, .. } if of == block));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_takes_nothing_makes_us_hold_only_a_part_of_its_block() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), vec![7; 1024 * 1024]).unwrap();
    let options = ScanOptions { piece_bytes: Some(1024 * 1024), ..ScanOptions::default() };
    let scanned = scan(&dir.path().join("file"), options, UNWATCHED).unwrap();
    let mut bench = bench(64);
    bench.link.post(letter(&scanned, 0, 1024 * 1024).1);
    let header = line(&Message::Block { piece: 0, start: 0, length: 1024 * 1024 });
    let mut said = vec![0; header.len()];
    bench.from_link.read_exact(&mut said).await.unwrap();
    assert_eq!(said, header);
    std::fs::write(dir.path().join("file"), b"something shorter").unwrap();
    let mut rest = Vec::new();
    bench.from_link.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, vec![7; 128 * 1024], "the rest was still on the disk, so the link had to end");
    let events = bench.until_closed().await;
    assert!(matches!(events[..], [Event::Lost { .. }]), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_block_byte_by_byte_is_given_up_after_a_minute() {
    let (_dir, scanned) = shared();
    let mut bench = bench(64);
    bench.link.post(letter(&scanned, 0, 16384).1);
    let mut from_link = std::mem::replace(&mut bench.from_link, split(duplex(1).0).0);
    let begun = Instant::now();
    let peer = tokio::spawn(async move {
        let mut said = [0; 10];
        while from_link.read(&mut said).await.is_ok_and(|count| count > 0) {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let _kept_open = std::mem::replace(&mut bench.to_link, split(duplex(1).0).1);
    timeout(Duration::from_secs(90), bench.until_closed()).await.expect("the link is given up");
    assert_eq!(begun.elapsed().as_secs(), 60);
    peer.await.unwrap();
}

#[tokio::test]
async fn leaf_hashes_are_those_of_the_file() {
    let (_dir, scanned) = shared();
    let mut bench = bench(64 * 1024);
    let (block, _) = letter(&scanned, 0, 16384);
    let (share, store) = (scanned.metainfo.share(), scanned.store.clone());
    bench.link.post(Letter::Leaves { share, store, piece: block.piece });
    let leaves: Vec<u8> = content().chunks(16384).flat_map(|leaf| merkle::leaf(leaf).0).collect();
    let expected = [line(&Message::Leaves { piece: 0, length: 96 }), leaves].concat();
    let mut said = vec![0; expected.len()];
    bench.from_link.read_exact(&mut said).await.unwrap();
    assert_eq!(said, expected);
}

#[tokio::test]
async fn the_metainfo_is_sent_in_the_parts_asked_for() {
    let (_dir, scanned) = shared();
    let mut bench = bench(64 * 1024);
    let bytes = scanned.metainfo.served_bytes();
    bench.link.post(Letter::Metainfo { metainfo: scanned.metainfo.clone(), start: 10, length: 20 });
    let header = line(&Message::Metainfo { start: 10, length: 20, total: bytes.len() as u64 });
    let expected = [&header, &bytes[10..30]].concat();
    let mut said = vec![0; expected.len()];
    bench.from_link.read_exact(&mut said).await.unwrap();
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_file_that_changed_is_lost_and_told_of_once_and_each_of_its_blocks_is_refused() {
    let (dir, scanned) = shared();
    std::fs::write(dir.path().join("file"), b"something shorter").unwrap();
    let mut bench = bench(64 * 1024);
    bench.link.post(letter(&scanned, 0, 16384).1);
    bench.link.post(letter(&scanned, 16384, 16384).1);
    let all: Vec<_> = scanned.metainfo.geometry().pieces().collect();
    for _ in 0..2 {
        assert!(matches!(bench.event().await, Event::Lost { pieces, .. } if pieces == all));
        assert!(matches!(bench.event().await, Event::Served { sent: false, .. }));
    }
    assert!(matches!(bench.news.try_recv().unwrap(), News::Trouble { text, .. } if text.contains("changed")));
    assert!(bench.news.try_recv().is_err(), "the person is told once");
}

#[tokio::test(start_paused = true)]
async fn blocks_that_wait_are_dropped_when_the_link_closes() {
    let (_dir, scanned) = shared();
    let mut bench = bench(1024 * 1024);
    for _ in 0..10 {
        bench.link.post(letter(&scanned, 0, 16384).1);
    }
    bench.link.close(goodbye());
    let mut said = Vec::new();
    bench.from_link.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, line(&Message::Goodbye));
    assert!(bench.until_closed().await.is_empty());
}
