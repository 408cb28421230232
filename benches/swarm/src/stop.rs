//! Whether the person has had enough: raised by Ctrl-C and SIGTERM, so that the guards of processes, folders and namespaces
//! still run.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From now on signals only raise the flag.
pub fn listen() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    drop(inside);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        STOPPED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Whether there is nothing more to be done.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// Errors: the person has had enough.
pub fn check() -> Result<()> {
    if is_stopped() {
        bail!("stopped");
    }
    Ok(())
}
