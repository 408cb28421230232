//! Stories of a real connection whose reader is not woken by every segment.

use tokio::io::{AsyncRead as _, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::net::link::source::{Source, TcpSource};

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
