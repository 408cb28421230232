//! Stories of readers that wait for their turn, and that are not woken by every segment: on a real connection, and on a slow
//! line in virtual time.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::ids::LinkId;
use crate::net::accept::Seat;
use crate::net::link::source::{Source, TcpSource};
use crate::net::link::tests::{bench_of, greeting, line, permit};
use crate::net::link::vigil::Vigil;
use crate::net::lobby::Lobby;
use crate::net::pool::Pool;

async fn pair() -> (TcpSource, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (ours, _) = listener.accept().await.unwrap();
    // The writing half may go: dropping it ends only our direction.
    (TcpSource::new(ours.into_split().0), theirs)
}

#[tokio::test]
async fn whoever_waits_for_many_bytes_gets_them_at_once_though_they_come_bit_by_bit() {
    let (mut source, mut theirs) = pair().await;
    source.await_bytes(40_000);
    let mut bytes = vec![0; 40_000];
    assert_pending(&mut source, &mut bytes).await;
    let sending = tokio::spawn(async move {
        for segment in [[1_u8; 1000]; 40] {
            theirs.write_all(&segment).await.unwrap();
            tokio::task::yield_now().await;
        }
        theirs
    });
    let count = source.read(&mut bytes).await.unwrap();
    assert!(bytes[..count].iter().all(|byte| *byte == 1));
    if cfg!(target_os = "linux") {
        assert_eq!(count, 40_000);
    }
    drop(sending.await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn who_has_to_wait_for_its_turn_is_not_heard_before() {
    let lobby = Lobby::new(10_000);
    let from = "127.0.0.1".parse().unwrap();
    let mut visits: Vec<_> = std::iter::from_fn(|| lobby.enter(from)).collect();
    let began = Instant::now();
    // The last one that was let in has the most to wait.
    let mut bench = bench_of(4096, Seat::accepted(permit(), visits.pop().unwrap()));
    bench.to_link.write_all(&line(&greeting())).await.unwrap();
    bench.event().await;
    let waited = began.elapsed();
    assert!((400..600).contains(&waited.as_millis()), "{waited:?}");
}

#[tokio::test]
async fn a_reader_in_a_hurry_takes_what_is_there() {
    let (mut source, mut theirs) = pair().await;
    source.await_bytes(30_000);
    let mut bytes = vec![0; 30_000];
    assert_pending(&mut source, &mut bytes).await;
    theirs.write_all(&[1; 1000]).await.unwrap();
    source.hurry();
    assert_eq!(source.read(&mut bytes).await.unwrap(), 1000);
    // And again, as the hurry is over: only the rest wakes it.
    assert_pending(&mut source, &mut bytes[1000..]).await;
    theirs.write_all(&[1; 29_000]).await.unwrap();
    source.await_bytes(29_000);
    source.read_exact(&mut bytes[1000..]).await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_connection_is_seen_by_whoever_waits_for_more() {
    let (mut source, mut theirs) = pair().await;
    source.await_bytes(30_000);
    let mut bytes = vec![0; 30_000];
    assert_pending(&mut source, &mut bytes).await;
    theirs.write_all(&[1; 1000]).await.unwrap();
    drop(theirs);
    assert_eq!(source.read(&mut bytes).await.unwrap(), 1000);
    assert_eq!(source.read(&mut bytes).await.unwrap(), 0);
}

#[tokio::test]
async fn a_message_after_a_payload_wakes_its_reader_however_short() {
    let (mut source, mut theirs) = pair().await;
    let mut bytes = vec![0; 30_000];
    for _ in 0..20 {
        source.await_bytes(bytes.len());
        assert_pending(&mut source, &mut bytes).await;
        theirs.write_all(&[1; 30_000]).await.unwrap();
        source.read_exact(&mut bytes).await.unwrap();
        source.await_bytes(1);
        assert_pending(&mut source, &mut bytes).await;
        theirs.write_all(b"{").await.unwrap();
        assert_eq!(source.read(&mut bytes).await.unwrap(), 1);
    }
}

/// Nothing is there to be read, and the system is told what is waited for.
async fn assert_pending(source: &mut TcpSource, bytes: &mut [u8]) {
    let pending = std::future::poll_fn(|context| {
        let mut into = tokio::io::ReadBuf::new(bytes);
        let polled = std::pin::Pin::new(&mut *source).poll_read(context, &mut into);
        std::task::Poll::Ready(polled.is_pending())
    });
    assert!(pending.await);
}

/// A line of so many bytes a second whose system holds them back until as many are there as are awaited.
struct SlowLine {
    bytes_a_second: u128,
    began: Instant,
    taken: usize,
    awaited: usize,
    is_hurried: bool,
}

impl Source for SlowLine {
    fn await_bytes(&mut self, bytes: usize) {
        self.awaited = bytes;
    }

    fn hurry(&mut self) {
        self.is_hurried = true;
    }
}

impl AsyncRead for SlowLine {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let sent = self.began.elapsed().as_millis() * self.bytes_a_second / 1_000;
        let sent = usize::try_from(sent).unwrap();
        let there = sent - self.taken;
        if there == 0 || (there < self.awaited && !self.is_hurried) {
            // Looked at again soon.
            let waker = context.waker().clone();
            tokio::spawn(async move {
                sleep(Duration::from_millis(10)).await;
                waker.wake();
            });
            return Poll::Pending;
        }
        let count = there.min(into.remaining());
        into.put_slice(&vec![1; count]);
        self.taken += count;
        self.is_hurried = false;
        Poll::Ready(Ok(()))
    }
}

/// How long a message is read that begins so long before a tick and comes so slowly; none if it is borne for a minute.
async fn borne(bytes_a_second: u128, before_tick: Duration) -> Option<u64> {
    let (inbox, mut reports) = mpsc::channel(100);
    tokio::spawn(async move { while reports.recv().await.is_some() {} });
    let mut vigil = Vigil::new(LinkId(1), inbox, Pool::new());
    sleep(Duration::from_secs(1) - before_tick).await;
    let began = Instant::now();
    let mut source = SlowLine { bytes_a_second, began, taken: 0, awaited: 1, is_hurried: false };
    let mut reading = pin!(async {
        let mut bytes = vec![0; 1 << 20];
        let mut have = 0;
        loop {
            match vigil.read(&mut source, &mut bytes[have..]).await {
                Ok(count) => have += count,
                Err(_) => return began.elapsed().as_secs(),
            }
            source.await_bytes(64 * 1024);
        }
    });
    tokio::time::timeout(Duration::from_secs(60), &mut reading).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_slow_line_is_judged_by_what_came_and_not_by_what_was_read() {
    for millis in [1, 100, 500, 900, 999] {
        let before_tick = Duration::from_millis(millis);
        assert_eq!(borne(1_060, before_tick).await, None, "{millis} ms before a tick");
        let seconds = borne(900, before_tick).await.expect("slower than a line may be");
        assert!((20..=22).contains(&seconds), "{millis} ms before a tick: {seconds} s");
    }
}
