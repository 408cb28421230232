//! What a peer was asked for and has not answered yet: only such payloads are worth a buffer of the pool.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::wire::Message;

/// Something that a peer must be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Block { piece: u64, start: u64, length: u64 },
    Leaves { piece: u64 },
    Metainfo,
}

/// How often what was asked for and not answered; at most as many entries as the core has requests with one peer. A clone
/// is the same account.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    counts: Arc<Mutex<BTreeMap<Wanted, u32>>>,
}

impl Asked {
    /// Notes what `message`, which is about to be said, asks for.
    pub(super) fn note(&self, message: &Message) {
        let wanted = match *message {
            Message::Request { piece, start, length } => Wanted::Block { piece, start, length },
            Message::LeavesRequest { piece } => Wanted::Leaves { piece },
            Message::MetainfoRequest { .. } => Wanted::Metainfo,
            _ => return,
        };
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(wanted).or_default() += 1;
    }

    /// Strikes off what `message`, which was just heard, answers. False where it answers nothing, and should.
    pub(super) fn is_answered_by(&self, message: &Message) -> bool {
        let wanted = match *message {
            Message::Block { piece, start, length } => Wanted::Block { piece, start, length: length.into() },
            Message::Nack { piece, start, length, .. } => Wanted::Block { piece, start, length },
            Message::Leaves { piece, .. } => Wanted::Leaves { piece },
            Message::Metainfo { .. } => Wanted::Metainfo,
            _ => return true,
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(&wanted) else { return false };
        *count -= 1;
        if *count == 0 {
            counts.remove(&wanted);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::NackReason;

    #[test]
    fn what_is_asked_for_twice_is_answered_twice_and_no_more() {
        let asked = Asked::default();
        let block = Message::Block { piece: 1, start: 0, length: 16384 };
        let refusal = Message::Nack { piece: 1, start: 0, length: 16384, reason: NackReason::Choked };
        assert!(!asked.is_answered_by(&block), "it was never asked for");
        asked.note(&Message::Request { piece: 1, start: 0, length: 16384 });
        asked.note(&Message::Request { piece: 1, start: 0, length: 16384 });
        assert!(!asked.is_answered_by(&Message::Block { piece: 1, start: 0, length: 32768 }));
        assert!(asked.is_answered_by(&refusal) && asked.is_answered_by(&block));
        assert!(!asked.is_answered_by(&block));
    }

    #[test]
    fn what_need_not_be_asked_for_answers_nothing() {
        assert!(Asked::default().is_answered_by(&Message::Heartbeat));
        assert!(!Asked::default().is_answered_by(&Message::Leaves { piece: 0, length: 0 }));
    }
}
