//! Runs what blocks without holding up the tasks beside it.

use std::panic::resume_unwind;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{block_in_place, spawn_blocking};

/// Runs `work`, which may wait for a disk. In place where the runtime has other threads to carry on with, which spares
/// a change of thread for each block; on the blocking pool otherwise. The caller bounds how many run at once.
pub(crate) async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        return block_in_place(work);
    }
    match spawn_blocking(work).await.map_err(|error| error.try_into_panic()) {
        Ok(value) => value,
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_)) => std::future::pending().await, // the runtime is going down, and this task with it
    }
}
