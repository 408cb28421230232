//! Stories of one link: a peer at one end, the core at the other.

mod dribbling;
mod serving;
mod waiting;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::content::merkle;
use crate::ids::{Digest, PeerId};
use crate::net::pool::POOL_BYTES_MAX;
use crate::seam::{News, Payload};
use crate::wire::{LINE_BYTES_MAX, PAYLOAD_BYTES_MAX, Role, WireError, encode};

const LINK: LinkId = LinkId(7);

impl Source for ReadHalf<DuplexStream> {}

/// A link over a pipe that holds `pipe_bytes`.
struct Bench {
    link: Link,
    reports: mpsc::Receiver<Report>,
    from_link: ReadHalf<DuplexStream>,
    to_link: WriteHalf<DuplexStream>,
    tasks: JoinSet<Done>,
    tools: Tools,
    news: mpsc::Receiver<News>,
}

fn bench(pipe_bytes: usize) -> Bench {
    bench_of(pipe_bytes, Seat::dialled(permit()))
}

fn permit() -> OwnedSemaphorePermit {
    Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap()
}

fn bench_of(pipe_bytes: usize, seat: Seat) -> Bench {
    let (inbox, reports) = mpsc::channel(INBOX_REPORTS_MAX);
    let (news_in, news) = mpsc::channel(10);
    let pool = Pool::new();
    let larder = Arc::new(Larder::new(pool.clone(), inbox.clone(), news_in));
    let tools = Tools { inbox, pool, larder, cut: CancellationToken::new() };
    let (ours, theirs) = duplex(pipe_bytes);
    let ((source, sink), (from_link, to_link)) = (split(ours), split(theirs));
    let mut tasks = JoinSet::new();
    let link = Link::over(LINK, source, sink, seat, &tools, &mut tasks);
    Bench { link, reports, from_link, to_link, tasks, tools, news }
}

impl Bench {
    /// Asks the other side for the block of `piece` that begins it and is so long.
    fn ask(&self, piece: u64, length: u64) {
        self.link.post(Letter::Say(Message::Request { piece, start: 0, length }));
    }

    async fn event(&mut self) -> Event {
        self.reports.recv().await.unwrap().event
    }

    /// Events up to the last; then no task may be left, nor any event.
    async fn until_closed(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            match self.event().await {
                Event::Closed { link } => {
                    assert_eq!(link, LINK);
                    break;
                }
                event => events.push(event),
            }
        }
        while self.tasks.join_next().await.is_some() {}
        assert!(self.reports.try_recv().is_err(), "Closed is the last event");
        events
    }
}

fn line(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(message, &mut bytes);
    bytes
}

fn greeting() -> Message {
    let (id, share) = (PeerId([1; 20]), ShareId([2; 32]));
    Message::Register { id, share, port: 9, agent: "a test".to_owned(), role: Role::Peer, goal: None }
}

fn goodbye() -> Option<Message> {
    Some(Message::Goodbye)
}

fn received(event: Event) -> (Message, Payload) {
    match event {
        Event::Received { link: LINK, message, payload } => (message, payload),
        other => panic!("no message: {other:?}"),
    }
}

#[tokio::test]
async fn frames_split_at_any_byte_are_the_same_messages() {
    let block = Message::Block { piece: 3, start: 0, length: 40 };
    let leaves = Message::Leaves { piece: 3, length: 64 };
    let metainfo = Message::Metainfo { start: 0, length: 5, total: 5 };
    let parts: [&[u8]; 9] = [
        &line(&greeting()),
        &line(&block),
        &[b'\n'; 40],
        &line(&leaves),
        &[6; 64],
        &line(&metainfo),
        b"{}{}\n",
        b"{\"tipo\":\"DE_AMANHA\"}\n",
        &line(&Message::Heartbeat),
    ];
    let bytes = parts.concat();
    let expected = [
        (greeting(), Payload::None),
        (block, Payload::Digests(vec![merkle::leaf(&[b'\n'; 40])])),
        (leaves, Payload::Digests(vec![Digest([6; 32]); 2])),
        (metainfo, Payload::Bytes(b"{}{}\n".to_vec())),
        (Message::Heartbeat, Payload::None),
    ];
    for at in 1..bytes.len() {
        let mut bench = bench(64 * 1024);
        bench.ask(3, 40);
        bench.link.post(Letter::Say(Message::LeavesRequest { piece: 3 }));
        bench.link.post(Letter::Say(Message::MetainfoRequest { start: 0 }));
        bench.to_link.write_all(&bytes[..at]).await.unwrap();
        for _ in 0..4 {
            yield_now().await; // on one thread: the reader takes what is there
        }
        bench.to_link.write_all(&bytes[at..]).await.unwrap();
        for message in &expected {
            assert_eq!(received(bench.event().await), *message, "split at {at}");
        }
    }
}

#[tokio::test]
async fn a_long_block_is_hashed_leaf_by_leaf_and_travels_beside_its_event() {
    let mut bench = bench(64 * 1024);
    let bytes: Vec<u8> = (0..100_000u32).map(|i| i.to_le_bytes()[i as usize % 4]).collect();
    let block = Message::Block { piece: 0, start: 0, length: 100_000 };
    bench.ask(0, 100_000);
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    let _greeting = bench.event().await;
    bench.to_link.write_all(&line(&block)).await.unwrap();
    bench.to_link.write_all(&bytes).await.unwrap();
    let report = bench.reports.recv().await.unwrap();
    let leaves = bytes.chunks(16 * 1024).map(merkle::leaf).collect();
    assert_eq!(received(report.event), (block, Payload::Digests(leaves)));
    assert_eq!(&report.payload.unwrap()[..], &bytes[..]);
}

#[tokio::test]
async fn another_protocol_is_closed_without_a_word() {
    for first in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x13BitTorrent protocol", b"\0"] {
        let mut bench = bench(1024);
        bench.to_link.write_all(first).await.unwrap();
        let mut said = Vec::new();
        bench.from_link.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"");
        assert!(bench.until_closed().await.is_empty());
    }
}

/// What the other side hears of the link's farewell after it sent `bytes`, and why.
async fn wrong(bytes: Vec<u8>) -> (WireError, Vec<u8>) {
    let mut bench = bench(4096);
    let (mut to_link, mut from_link) = (bench.to_link, bench.from_link);
    let peer = tokio::spawn(async move {
        let _ = to_link.write_all(&bytes).await;
        let mut said = Vec::new();
        from_link.read_to_end(&mut said).await.unwrap();
        said
    });
    let error = loop {
        match bench.reports.recv().await.unwrap().event {
            Event::Violated { error, .. } => break error,
            Event::Received { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    bench.link.close(goodbye());
    (error, peer.await.unwrap())
}

#[tokio::test]
async fn a_line_too_long_is_told_of_and_the_last_word_still_arrives() {
    let mut bytes = vec![b'{'; 3 * LINE_BYTES_MAX];
    bytes.push(b'\n');
    assert_eq!(wrong(bytes).await, (WireError::LineTooLong, line(&Message::Goodbye)));
}

#[tokio::test]
async fn a_payload_over_the_limit_is_refused_before_it_is_read() {
    let mut bytes = line(&greeting());
    bytes.extend_from_slice(b"{\"tipo\":\"BLOCO\",\"bloco\":0,\"inicio\":0,\"tamanho\":1048577}\n");
    let (error, said) = wrong(bytes).await;
    assert_eq!(error, WireError::PayloadTooLong(u64::from(PAYLOAD_BYTES_MAX) + 1));
    assert_eq!(said, line(&Message::Goodbye));
}

#[tokio::test]
async fn a_payload_before_the_greeting_is_refused_before_it_is_read() {
    let bytes = line(&Message::Block { piece: 0, start: 0, length: PAYLOAD_BYTES_MAX });
    assert!(matches!(wrong(bytes).await.0, WireError::Malformed(_)));
}

/// How long a link stands to which `bytes` are sent ten times a second, and how often it was called alive.
async fn crawl(mut bench: Bench, bytes: &'static [u8]) -> (u64, usize) {
    let begun = Instant::now();
    let mut to_link = std::mem::replace(&mut bench.to_link, split(duplex(1).0).1);
    let peer = tokio::spawn(async move {
        while to_link.write_all(bytes).await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let events = timeout(Duration::from_secs(60), bench.until_closed()).await.expect("the link is given up");
    peer.await.unwrap();
    let is_alive = |event: &&Event| matches!(event, Event::Alive { .. });
    (begun.elapsed().as_secs(), events.iter().filter(is_alive).count())
}

#[tokio::test(start_paused = true)]
async fn a_message_that_crawls_is_given_up_after_twenty_seconds() {
    let (seconds, alive) = crawl(bench(1024), b"{").await;
    assert!((20..=22).contains(&seconds), "{seconds}");
    assert!((18..=21).contains(&alive), "once a second: {alive}");
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_later_version_are_life() {
    let mut bench = bench(1024);
    for _ in 0..5 {
        bench.to_link.write_all(b"{\"tipo\":\"DE_AMANHA\"}\n").await.unwrap();
        sleep(Duration::from_millis(1500)).await;
        let event = timeout(Duration::from_secs(5), bench.event()).await.expect("the core hears of it");
        assert!(matches!(event, Event::Alive { .. }), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_crawls_while_the_pool_is_scarce_is_given_up_after_five_seconds() {
    let mut bench = bench(64 * 1024);
    let pool = bench.tools.pool.clone();
    bench.ask(0, 16384);
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    bench.to_link.write_all(&line(&Message::Block { piece: 0, start: 0, length: 16384 })).await.unwrap();
    let _greeting = bench.event().await;
    let mut lent = Vec::new();
    for _ in 1..POOL_BYTES_MAX / PAYLOAD_BYTES_MAX as usize {
        lent.push(pool.reserve(PAYLOAD_BYTES_MAX).await);
    }
    let (seconds, _) = crawl(bench, &[0; 200]).await;
    assert!((5..=7).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_waits_for_our_pool_is_alive_and_not_slow() {
    let mut bench = bench(1024 * 1024);
    bench.ask(0, 81920);
    let mut lent = Vec::new();
    for _ in 0..POOL_BYTES_MAX / PAYLOAD_BYTES_MAX as usize {
        lent.push(bench.tools.pool.reserve(PAYLOAD_BYTES_MAX).await);
    }
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    // Longer than what waits in the link's own room.
    let block = Message::Block { piece: 0, start: 0, length: 81920 };
    bench.to_link.write_all(&line(&block)).await.unwrap();
    bench.to_link.write_all(&[0; 81000]).await.unwrap();
    let _greeting = bench.event().await;
    for _ in 0..60 {
        assert!(matches!(bench.event().await, Event::Alive { .. }));
    }
    lent.clear();
    sleep(Duration::from_secs(3)).await;
    bench.to_link.write_all(&[0; 920]).await.unwrap();
    loop {
        match bench.event().await {
            Event::Alive { .. } => {}
            event => break assert_eq!(received(event).0, block),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_not_listened_to_and_its_link_ends_after_a_minute() {
    let mut bench = bench(64);
    bench.to_link.write_all(&line(&Message::Heartbeat)).await.unwrap();
    for _ in 0..=MAILBOX_LETTERS_MAX - MAILBOX_ROOM_MIN + 100 {
        bench.link.post(Letter::Say(Message::Heartbeat));
    }
    let begun = Instant::now();
    let _kept_open = std::mem::replace(&mut bench.from_link, split(duplex(1).0).0);
    let events = bench.until_closed().await;
    assert!(
        events.len() > 50 && events.iter().all(|event| matches!(event, Event::Alive { .. })),
        "{events:?}"
    );
    assert_eq!(begun.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_overflowing_mailbox_closes_the_link_at_once() {
    let bench = bench(64);
    let begun = Instant::now();
    for _ in 0..=MAILBOX_LETTERS_MAX {
        bench.link.post(Letter::Say(Message::Heartbeat));
    }
    assert!(bench.until_closed().await.is_empty());
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_peer_is_heard_again_once_it_took_what_we_owe_it() {
    let mut bench = bench(64 * 1024);
    for _ in 0..MAILBOX_LETTERS_MAX - MAILBOX_ROOM_MIN + 1 {
        bench.link.post(Letter::Say(Message::Heartbeat));
    }
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    let mut said = vec![0; 64];
    bench.from_link.read_exact(&mut said).await.unwrap();
    let mut from_link = std::mem::replace(&mut bench.from_link, split(duplex(1).0).0);
    let reader = tokio::spawn(async move { while from_link.read(&mut said).await.is_ok_and(|n| n > 0) {} });
    assert_eq!(received(bench.event().await).0, greeting());
    bench.tools.cut.cancel();
    assert!(bench.until_closed().await.is_empty());
    reader.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_close_that_the_peer_does_not_read_lasts_a_second() {
    let bench = bench(64);
    for _ in 0..100 {
        bench.link.post(Letter::Say(Message::Heartbeat));
    }
    yield_now().await;
    let begun = Instant::now();
    bench.link.close(goodbye());
    assert!(bench.until_closed().await.is_empty());
    assert_eq!(begun.elapsed(), CLOSE_MAX);
}

#[tokio::test(start_paused = true)]
async fn the_last_word_follows_all_others() {
    let mut bench = bench(1024);
    bench.link.post(Letter::Say(Message::Unchoke));
    bench.link.close(goodbye());
    let mut said = vec![0; line(&Message::Unchoke).len() + line(&Message::Goodbye).len()];
    bench.from_link.read_exact(&mut said).await.unwrap();
    assert_eq!(said, [line(&Message::Unchoke), line(&Message::Goodbye)].concat());
    assert_eq!(bench.from_link.read(&mut said).await.unwrap(), 0, "and nothing follows it");
    assert!(bench.until_closed().await.is_empty());
}

#[tokio::test]
async fn what_was_said_before_the_connection_went_is_told_before_closed() {
    let mut bench = bench(64 * 1024);
    for message in [greeting(), Message::Interested, Message::Goodbye] {
        bench.to_link.write_all(&line(&message)).await.unwrap();
    }
    bench.to_link.shutdown().await.unwrap();
    let events = timeout(Duration::from_secs(20), bench.until_closed()).await.unwrap();
    let messages: Vec<Message> = events.into_iter().map(|event| received(event).0).collect();
    assert_eq!(messages, [greeting(), Message::Interested, Message::Goodbye]);
}
