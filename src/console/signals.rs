//! Ctrl-C and SIGTERM: the first asks for an orderly stop, the second ends the program at once.

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
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Signals { task: tokio::spawn(listen(interrupt, terminate, stop)) })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken) {
    either(&mut interrupt, &mut terminate).await;
    stop.cancel();
    either(&mut interrupt, &mut terminate).await;
    std::process::exit(INTERRUPTED);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
