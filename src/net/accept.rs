//! Takes in connections, so many at once and no more; says and reads nothing.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

/// Connections that others made to us, at once, those included that have said nothing yet.
const ACCEPTED_MAX: usize = 512;
/// Connections that we made or are making, at once.
const DIALLED_MAX: usize = 256;
/// What a process needs of its file descriptors besides connections: the content it reads and writes, the runtime, the
/// terminal.
const OTHER_DESCRIPTORS: usize = 48;
/// Below this nothing is shared with anybody: what is too much then has to fail.
const CONNECTIONS_MIN: usize = 6;
/// Bytes that the system takes of a connection before it has sent what it took earlier.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 * 1024;
/// How long to leave the listener alone when the system has no more to give (too many open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seats {
    pub(crate) accepted: usize,
    pub(crate) dialled: usize,
}

impl Seats {
    /// As many as the system lets this process have, and the content still be opened.
    pub(crate) fn here() -> Seats {
        let limit = getrlimit(Resource::Nofile).current;
        Seats::within(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX))
    }

    fn within(descriptors: usize) -> Seats {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS).max(CONNECTIONS_MIN);
        let dialled = (connections / 3).min(DIALLED_MAX);
        Seats { accepted: (connections - dialled).min(ACCEPTED_MAX), dialled }
    }
}

/// A connection and its seat, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    pub(crate) remote: SocketAddr,
    pub(crate) seat: OwnedSemaphorePermit,
}

impl Guest {
    /// None when the connection is gone already.
    pub(crate) fn new(stream: TcpStream, seat: OwnedSemaphorePermit) -> Option<Guest> {
        stream.set_nodelay(true).ok()?;
        keep_queue_short(&stream);
        let remote = stream.peer_addr().ok()?;
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        Some(Guest { stream, remote, seat })
    }
}

/// What the system has not sent yet of a connection stays little, where it can: what is said next waits behind it.
fn keep_queue_short(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
}

/// Accepts until nobody takes the guests any more. Those beyond `accepted_max` wait in the system's own queue.
pub(crate) async fn accept(listener: TcpListener, accepted_max: usize, guests: mpsc::Sender<Guest>) {
    let seats = Arc::new(Semaphore::new(accepted_max));
    while let Ok(seat) = seats.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some(guest) = Guest::new(stream, seat) else { continue };
                if guests.send(guest).await.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn connections_leave_descriptors_for_the_content() {
        assert_eq!(Seats::within(1_000_000), Seats { accepted: ACCEPTED_MAX, dialled: DIALLED_MAX });
        assert_eq!(Seats::within(64), Seats { accepted: 11, dialled: 5 });
        assert_eq!(Seats::within(0), Seats { accepted: 4, dialled: 2 });
    }

    #[tokio::test]
    async fn who_finds_no_seat_waits_until_one_is_free() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (door, mut guests) = mpsc::channel(8);
        let accepting = tokio::spawn(accept(listener, 2, door));
        let mut callers = Vec::new();
        for number in 0..3 {
            let mut caller = TcpStream::connect(addr).await.unwrap();
            caller.write_all(&[number]).await.unwrap();
            callers.push(caller);
        }
        let (first, mut second) = (guests.recv().await.unwrap(), guests.recv().await.unwrap());
        assert_eq!(second.stream.read_u8().await.unwrap(), 1);
        assert!(guests.is_empty(), "both seats are taken");
        drop(first);
        assert_eq!(guests.recv().await.unwrap().stream.read_u8().await.unwrap(), 2);
        accepting.abort();
    }
}
