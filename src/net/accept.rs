//! Takes in connections, so many at once and no more; says and reads nothing.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

/// Connections that others made to us, at once, those included that have said nothing yet.
pub(crate) const ACCEPTED_MAX: usize = 512;
/// Connections that we made or are making, at once.
pub(crate) const DIALLED_MAX: usize = 256;
/// How long to leave the listener alone when the system has no more to give (too many open files, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
        let remote = stream.peer_addr().ok()?;
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        Some(Guest { stream, remote, seat })
    }
}

/// Accepts until nobody takes the guests any more. Those beyond [`ACCEPTED_MAX`] wait in the system's own queue.
pub(crate) async fn accept(listener: TcpListener, guests: mpsc::Sender<Guest>) {
    let seats = Arc::new(Semaphore::new(ACCEPTED_MAX));
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
