//! Payload buffers: so many bytes at once and no more, used again rather than allocated again.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::wire::PAYLOAD_BYTES_MAX;

/// Bytes of received payloads that one process holds at most, from before they are read until they are written.
pub(crate) const POOL_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Bytes of buffers kept for use again: all that were ever lent at once, since an allocator that gets them back from
/// many threads keeps several times as much.
const IDLE_BYTES_MAX: usize = POOL_BYTES_MAX;
/// Bytes of them that may lie there while others have to be made.
const IDLE_BESIDE_NEW_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Smaller buffers are not worth telling apart.
const CLASS_BYTES_MIN: usize = 16 * 1024;
/// The most payloads that are held at once.
pub(crate) const BUFFERS_MAX: usize = POOL_BYTES_MAX / CLASS_BYTES_MIN;

/// Lends buffers; a clone lends from the same stock.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Idle>>,
}

/// Buffers that wait for use, by their class: a power of two of bytes.
#[derive(Debug, Default)]
struct Idle {
    bytes: usize,
    classes: BTreeMap<usize, Vec<Vec<u8>>>,
}

/// A lent buffer; goes back by being dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
    idle: Arc<Mutex<Idle>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(crate) fn new() -> Pool {
        Pool { permits: Arc::new(Semaphore::new(POOL_BYTES_MAX)), idle: Arc::default() }
    }

    /// A buffer of `length` bytes of any content, at most 1 MiB; waits until the pool has as much to give.
    pub(crate) async fn reserve(&self, length: u32) -> Buffer {
        let class = class_of(length);
        let permits = u32::try_from(class).expect("a class is at most twice a payload");
        let permit = self.permits.clone().acquire_many_owned(permits).await;
        self.lend(length, Some(permit.expect("the pool is never closed")))
    }

    /// Whether the next buffer might have to wait.
    pub(crate) fn is_scarce(&self) -> bool {
        self.permits.available_permits() < PAYLOAD_BYTES_MAX as usize
    }

    /// A buffer that counts for nothing: its holder must bound how many there are.
    pub(crate) fn spare(&self, length: u32) -> Buffer {
        self.lend(length, None)
    }

    fn lend(&self, length: u32, permit: Option<OwnedSemaphorePermit>) -> Buffer {
        let class = class_of(length);
        let bytes = lock(&self.idle).take(class).unwrap_or_else(|| vec![0; class]);
        Buffer { bytes, length: length as usize, idle: self.idle.clone(), _permit: permit }
    }
}

fn class_of(length: u32) -> usize {
    (length as usize).next_power_of_two().max(CLASS_BYTES_MIN)
}

fn lock(idle: &Mutex<Idle>) -> MutexGuard<'_, Idle> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Idle {
    fn take(&mut self, class: usize) -> Option<Vec<u8>> {
        let Some(bytes) = self.classes.get_mut(&class).and_then(Vec::pop) else {
            self.make_room(class);
            return None;
        };
        self.bytes -= class;
        Some(bytes)
    }

    /// Gives up buffers of other classes, the smallest first, for one that is to be made.
    fn make_room(&mut self, class: usize) {
        while self.bytes + class > IDLE_BESIDE_NEW_BYTES_MAX {
            let Some(mut smallest) = self.classes.first_entry() else { return };
            match smallest.get_mut().pop() {
                Some(bytes) => self.bytes -= bytes.len(),
                None => _ = smallest.remove(),
            }
        }
    }

    fn put(&mut self, bytes: Vec<u8>) {
        let class = bytes.len();
        if class >= CLASS_BYTES_MIN && self.bytes + class <= IDLE_BYTES_MAX {
            self.bytes += class;
            self.classes.entry(class).or_default().push(bytes);
        }
    }
}

impl Buffer {
    /// Takes the bytes out to keep them; the buffer, now empty, still counts until it is dropped.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.truncate(self.length);
        self.length = 0;
        bytes
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        lock(&self.idle).put(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u32 = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn a_full_pool_lends_again_once_a_buffer_came_back() {
        let pool = Pool::new();
        let mut lent = Vec::new();
        for _ in 0..6 {
            lent.push(pool.reserve(MIB).await);
        }
        let second = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(second, pool.reserve(1)).await.is_err());
        lent.pop();
        assert_eq!(pool.reserve(17).await.len(), 17);
    }

    #[tokio::test]
    async fn bytes_taken_out_count_until_their_buffer_is_dropped() {
        let pool = Pool::new();
        let mut buffer = pool.reserve(MIB).await;
        let bytes = buffer.take_bytes();
        assert_eq!(bytes.len(), MIB as usize);
        assert_eq!(pool.permits.available_permits(), POOL_BYTES_MAX - MIB as usize);
        drop(buffer);
        assert_eq!(pool.permits.available_permits(), POOL_BYTES_MAX);
        assert_eq!(lock(&pool.idle).bytes, 0);
    }

    #[test]
    fn idle_buffers_are_used_again_and_never_pile_up() {
        let pool = Pool::new();
        let many: Vec<Buffer> = (0..20).map(|_| pool.spare(MIB)).collect();
        drop(many);
        assert_eq!(lock(&pool.idle).bytes, IDLE_BYTES_MAX);
        let _one = pool.spare(MIB - 5);
        assert_eq!(lock(&pool.idle).bytes, IDLE_BYTES_MAX - MIB as usize);
        let _other = pool.spare(MIB / 2);
        assert!(lock(&pool.idle).bytes <= IDLE_BESIDE_NEW_BYTES_MAX, "a new one takes the room of idle ones");
    }
}
