//! Takes in connections, so many at once and no more; says and reads nothing.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

use super::lobby::{Lobby, Visit};
use crate::seam::News;

/// Connections that others made to us, at once, those included that have said nothing yet.
const ACCEPTED_MAX: usize = 512;
/// Connections that we made or are making, at once.
const DIALLED_MAX: usize = 256;
/// What a process needs of its file descriptors besides connections and the folders of its shares: the files it reads and
/// writes, the runtime, the terminal.
const OTHER_DESCRIPTORS: usize = 40;
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
    /// As many as the system lets this process have beside so many descriptors of folders, and the content still be opened.
    pub(crate) fn here(folders: usize) -> Seats {
        let limit = getrlimit(Resource::Nofile).current;
        Seats::within(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX), folders)
    }

    fn within(descriptors: usize, folders: usize) -> Seats {
        let connections = descriptors.saturating_sub(OTHER_DESCRIPTORS + folders).max(CONNECTIONS_MIN);
        let dialled = (connections / 3).min(DIALLED_MAX);
        Seats { accepted: (connections - dialled).min(ACCEPTED_MAX), dialled }
    }
}

/// What a connection takes up; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    _permit: OwnedSemaphorePermit,
    /// None where we dialled.
    visit: Option<Visit>,
}

impl Seat {
    /// Of a connection that we made.
    pub(crate) fn dialled(permit: OwnedSemaphorePermit) -> Seat {
        Seat { _permit: permit, visit: None }
    }

    /// Of a connection that was made to us.
    pub(crate) fn accepted(permit: OwnedSemaphorePermit, visit: Visit) -> Seat {
        Seat { _permit: permit, visit: Some(visit) }
    }

    /// The other side said who it is.
    pub(crate) fn introduced(&self) {
        self.visit.iter().for_each(Visit::introduced);
    }

    /// Waits until the other side may be listened to.
    pub(crate) async fn turn(&self) {
        if let Some(visit) = &self.visit {
            visit.turn().await;
        }
    }

    /// Waits until the seat is given to another, which happens only before the other side said who it is.
    pub(crate) async fn shown_out(&self) {
        match &self.visit {
            Some(visit) => visit.shown_out().await,
            None => std::future::pending().await,
        }
    }
}

/// A connection and its seat.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    pub(crate) remote: SocketAddr,
    pub(crate) seat: Seat,
}

impl Guest {
    /// One that we dialled. None when the connection is gone already.
    pub(crate) fn dialled(stream: TcpStream, permit: OwnedSemaphorePermit) -> Option<Guest> {
        let remote = prepare(&stream)?;
        Some(Guest { stream, remote, seat: Seat::dialled(permit) })
    }

    /// One that dialled us. None when it is gone already, or too many came from there.
    fn accepted(stream: TcpStream, permit: OwnedSemaphorePermit, lobby: &Lobby) -> Option<Guest> {
        let remote = prepare(&stream)?;
        let seat = Seat::accepted(permit, lobby.enter(remote.ip())?);
        Some(Guest { stream, remote, seat })
    }
}

/// Makes a connection as it should be; gives the other side's unmapped address.
fn prepare(stream: &TcpStream) -> Option<SocketAddr> {
    stream.set_nodelay(true).ok()?;
    keep_queue_short(stream);
    let remote = stream.peer_addr().ok()?;
    Some(SocketAddr::new(remote.ip().to_canonical(), remote.port()))
}

/// Where connections come from.
pub(crate) trait Door: Send {
    /// The next one.
    fn next(&mut self) -> impl Future<Output = io::Result<TcpStream>> + Send;
}

impl Door for TcpListener {
    async fn next(&mut self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// What the system has not sent yet of a connection stays little, where it can: what is said next waits behind it.
fn keep_queue_short(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
}

/// Accepts until nobody takes the guests any more. Those beyond `accepted_max` wait in the system's own queue. When the system
/// has no more to give, the person is told once.
pub(crate) async fn accept(
    mut door: impl Door,
    accepted_max: usize,
    guests: mpsc::Sender<Guest>,
    news: mpsc::Sender<News>,
) {
    let (seats, lobby) = (Arc::new(Semaphore::new(accepted_max)), Lobby::new(accepted_max));
    let mut is_told = false;
    while let Ok(permit) = seats.clone().acquire_owned().await {
        match door.next().await {
            Ok(stream) => {
                let Some(guest) = Guest::accepted(stream, permit, &lobby) else { continue };
                if guests.send(guest).await.is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    let _ = news.try_send(News::Trouble { share: None, text: trouble(&error) });
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One line that says what to do.
fn trouble(error: &io::Error) -> String {
    let lacks_files = matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE));
    let remedy = if lacks_files { "; more open files (ulimit -n) would avoid it" } else { "" };
    format!(
        "nobody can connect to this side for now ({error}); it goes on by itself as soon as it can{remedy}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn connections_leave_descriptors_for_the_content() {
        assert_eq!(Seats::within(1_000_000, 8), Seats { accepted: ACCEPTED_MAX, dialled: DIALLED_MAX });
        assert_eq!(Seats::within(64, 8), Seats { accepted: 11, dialled: 5 });
        assert_eq!(Seats::within(1024, 300), Seats { accepted: 456, dialled: 228 });
        assert_eq!(Seats::within(0, 1), Seats { accepted: 4, dialled: 2 });
    }

    /// Fails as often as it is asked.
    struct Shut(Arc<std::sync::atomic::AtomicU32>);

    impl Door for Shut {
        async fn next(&mut self) -> io::Result<TcpStream> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Err(io::Error::from(Errno::MFILE))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_the_door_is_tried_now_and_then_and_the_person_told_once() {
        let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let (door, _guests) = mpsc::channel(1);
        let (news, mut told) = mpsc::channel(10);
        let accepting = tokio::spawn(accept(Shut(tries.clone()), 2, door, news));
        sleep(Duration::from_secs(10)).await;
        let tries = tries.load(std::sync::atomic::Ordering::Relaxed);
        assert!((50..=101).contains(&tries), "{tries}");
        let Ok(News::Trouble { text, .. }) = told.try_recv() else { panic!("nothing is told") };
        assert!(text.contains("ulimit -n") && !text.contains('\n'), "{text}");
        assert!(told.try_recv().is_err());
        accepting.abort();
    }

    #[tokio::test]
    async fn who_finds_no_seat_waits_until_one_is_free() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (door, mut guests) = mpsc::channel(8);
        let accepting = tokio::spawn(accept(listener, 2, door, mpsc::channel(1).0));
        let mut callers = Vec::new();
        for number in 0..3 {
            let mut caller = TcpStream::connect(addr).await.unwrap();
            caller.write_all(&[number]).await.unwrap();
            callers.push(caller);
        }
        let first = guests.recv().await.unwrap();
        first.seat.introduced();
        let mut second = guests.recv().await.unwrap();
        assert_eq!(second.stream.read_u8().await.unwrap(), 1);
        assert!(guests.is_empty(), "both seats are taken");
        drop(first);
        assert_eq!(guests.recv().await.unwrap().stream.read_u8().await.unwrap(), 2);
        accepting.abort();
    }
}
