//! Peers that send payloads slowly, or that nobody asked for: they must not hold the pool, which all links draw on.

use super::*;

const MIB: u32 = PAYLOAD_BYTES_MAX;
const POOL_BUFFERS: usize = POOL_BYTES_MAX / MIB as usize;

/// Whether the pool still has so many buffers of 1 MiB to lend.
async fn lends(pool: &Pool, buffers: usize) -> bool {
    let mut lent = Vec::new();
    while lent.len() < buffers {
        match timeout(Duration::from_millis(1), pool.reserve(MIB)).await {
            Ok(buffer) => lent.push(buffer),
            Err(_) => return false,
        }
    }
    true
}

/// Greets, announces `message`, and sends a part of its payload that the link has time to read.
async fn begin(bench: &mut Bench, message: &Message, part: usize) {
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    let _greeting = bench.event().await;
    bench.to_link.write_all(&line(message)).await.unwrap();
    bench.to_link.write_all(&vec![0; part]).await.unwrap();
    assert!(matches!(bench.event().await, Event::Alive { .. }), "a second has passed");
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_nobody_asked_for_takes_nothing_from_the_pool_and_is_told_of_without_its_bytes() {
    for message in [
        Message::Block { piece: 0, start: 0, length: MIB },
        Message::Metainfo { start: 0, length: MIB, total: 2 * u64::from(MIB) },
        Message::Leaves { piece: 0, length: MIB },
    ] {
        let mut bench = bench(2 * MIB as usize);
        begin(&mut bench, &message, 300_000).await;
        assert!(lends(&bench.tools.pool, POOL_BUFFERS).await, "{message:?}");
        bench.to_link.write_all(&vec![0; MIB as usize - 300_000]).await.unwrap();
        assert_eq!(received(bench.event().await), (message, Payload::None));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_once_is_taken_once() {
    let mut bench = bench(2 * MIB as usize);
    let block = Message::Block { piece: 0, start: 0, length: 16384 };
    bench.ask(0, 16384);
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    let _greeting = bench.event().await;
    for is_taken in [true, false] {
        bench.to_link.write_all(&[&line(&block)[..], &[7; 16384]].concat()).await.unwrap();
        let report = bench.reports.recv().await.unwrap();
        assert_eq!(report.payload.is_some(), is_taken);
        assert_eq!(received(report.event).1 != Payload::None, is_taken);
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_pool_is_scarce_the_head_of_a_payload_waits_in_its_own_link() {
    let mut bench = bench(2 * MIB as usize);
    bench.ask(0, 65536);
    let mut lent = Vec::new();
    for _ in 1..POOL_BUFFERS {
        lent.push(bench.tools.pool.reserve(MIB).await);
    }
    let _more = bench.tools.pool.reserve(1).await;
    let block = Message::Block { piece: 0, start: 0, length: 65536 };
    begin(&mut bench, &block, 60_000).await;
    lent.pop();
    assert!(lends(&bench.tools.pool, 1).await, "somebody who has sent all of it goes first");
    bench.to_link.write_all(&[0; 5536]).await.unwrap();
    loop {
        match bench.event().await {
            Event::Alive { .. } => {}
            event => {
                break assert_eq!(
                    received(event),
                    (block, Payload::Digests(vec![merkle::leaf(&[0; 16384]); 4]))
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_pool_is_scarce_a_long_payload_must_come_within_some_seconds() {
    let mut bench = bench(2 * MIB as usize);
    let pool = bench.tools.pool.clone();
    bench.ask(0, MIB.into());
    begin(&mut bench, &Message::Block { piece: 0, start: 0, length: MIB }, 200_000).await;
    let mut lent = Vec::new();
    for _ in 1..POOL_BUFFERS {
        lent.push(pool.reserve(MIB).await);
    }
    // 40 KB/s: what a crowd sent to hold the pool with little.
    let (seconds, _) = crawl(bench, &[0; 4_000]).await;
    assert!((4..=8).contains(&seconds), "{seconds}");
}
