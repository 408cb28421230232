//! Where a link's bytes come from: woken once for many small segments of a payload, not by each of them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;

/// Bytes of a payload that are waited for at most: a few leaves, still in the nearest cache when they are hashed.
const AWAITED_BYTES_MAX: usize = 64 * 1024;

/// A stream that can be told what its reader waits for. Only a hint: a read may end with fewer bytes.
pub(super) trait Source: AsyncRead + Unpin {
    /// How many bytes the reads from now on are for; one at least.
    fn await_bytes(&mut self, _bytes: usize) {}

    /// The next read is for whatever is there.
    fn hurry(&mut self) {}
}

/// The reading half of a TCP connection.
///
/// On a slow line every segment of 1.4 KB would wake a task, which costs more than all that is done with its bytes. The
/// system can hold the wake-up back until as many bytes are there as are wanted (SO_RCVLOWAT of `socket(7)`).
#[derive(Debug)]
pub(super) struct TcpSource {
    half: OwnedReadHalf,
    awaited: usize,
    /// What the system was told last.
    low_water: usize,
    is_hurried: bool,
}

impl TcpSource {
    pub(super) fn new(half: OwnedReadHalf) -> TcpSource {
        TcpSource { half, awaited: 1, low_water: 1, is_hurried: false }
    }

    /// Tells the system when to wake us. Where it does not listen, every segment does.
    fn set_low_water(&mut self) {
        let wanted = if self.is_hurried { 1 } else { self.awaited };
        if wanted != self.low_water {
            low_water::set(self.half.as_ref(), wanted);
            self.low_water = wanted;
        }
    }
}

impl Source for TcpSource {
    fn await_bytes(&mut self, bytes: usize) {
        self.awaited = bytes.clamp(1, AWAITED_BYTES_MAX);
    }

    fn hurry(&mut self) {
        self.is_hurried = true;
        self.set_low_water();
    }
}

impl AsyncRead for TcpSource {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.half).poll_read(context, into);
        match polled {
            // Told only now, since a reader that finds enough never waits.
            Poll::Pending => self.set_low_water(),
            Poll::Ready(_) => self.is_hurried = false,
        }
        polled
    }
}

#[cfg(target_os = "linux")]
mod low_water {
    use nix::sys::socket::SetSockOpt;
    use nix::{setsockopt_impl, sockopt_impl};
    use tokio::net::TcpStream;

    sockopt_impl!(
        /// Bytes that must be there before the system says that there is something to read.
        LowWater,
        SetOnly,
        libc::SOL_SOCKET,
        libc::SO_RCVLOWAT,
        i32
    );

    pub(super) fn set(stream: &TcpStream, bytes: usize) {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        let _ = LowWater.set(stream, &bytes);
    }
}

#[cfg(not(target_os = "linux"))]
mod low_water {
    pub(super) fn set(_stream: &tokio::net::TcpStream, _bytes: usize) {}
}
