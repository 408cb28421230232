//! Runs what blocks without holding up the tasks beside it.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// Runs `work`, which may wait for a disk, on a thread of its own. The caller bounds how many run at once.
pub(crate) async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await.map_err(|error| error.try_into_panic()) {
        Ok(value) => value,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_)) => std::future::pending().await, // the runtime is going down, and this task with it
    }
}
