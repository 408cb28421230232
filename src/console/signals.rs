//! Ctrl-C, SIGTERM and a terminal that is gone: the first asks for an orderly stop, the second ends the program at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a shell shows for a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Listens for signals as long as it lives.
#[derive(Debug)]
pub struct Signals {
    task: JoinHandle<()>,
}

impl Signals {
    /// Cancels `stop` at the first signal. Needs a runtime.
    pub fn stop_with(stop: CancellationToken) -> io::Result<Signals> {
        let mut listened = vec![signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?];
        if !is_hangup_ignored() {
            listened.push(signal(SignalKind::hangup())?);
        }
        Ok(Signals { task: tokio::spawn(listen(listened, stop)) })
    }
}

/// Whether somebody asked, as with `nohup`, that it outlive its terminal; or that cannot be known.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask =
        status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_none_or(|mask| mask & 1 != 0)
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(mut listened: Vec<Signal>, stop: CancellationToken) {
    any(&mut listened).await;
    stop.cancel();
    any(&mut listened).await;
    std::process::exit(INTERRUPTED);
}

async fn any(listened: &mut [Signal]) {
    std::future::poll_fn(|context| {
        let mut is_one = false;
        for signal in &mut *listened {
            is_one |= signal.poll_recv(context).is_ready();
        }
        if is_one { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
