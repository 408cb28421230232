//! A stock of any size as messages that each fit one line.

use super::message::Message;

/// The most runs of one line: even with the largest numbers, 44 bytes each, they fit.
pub const RUNS_MAX: usize = 1_400;

/// What is held, as inclusive runs of pieces: the first message replaces (`estoque`), the rest add (`novos`).
/// Never empty: holding nothing is said too.
pub fn stock_messages(runs: &[[u32; 2]]) -> Vec<Message> {
    let runs: Vec<_> = runs.iter().map(|run| run.map(u64::from)).collect();
    shared_out(Some(&runs), None)
}

/// The same stock in messages of at most [`RUNS_MAX`] runs.
pub(super) fn shared_out(all: Option<&[[u64; 2]]>, more: Option<&[[u64; 2]]>) -> Vec<Message> {
    let (first, rest) = all.map_or((None, Default::default()), |all| {
        let (first, rest) = all.split_at(all.len().min(RUNS_MAX));
        (Some(first), rest)
    });
    let first = first.map(|runs| Message::Stock { all: Some(runs.to_vec()), more: None });
    let rest = rest.chunks(RUNS_MAX).chain(more.unwrap_or_default().chunks(RUNS_MAX));
    first
        .into_iter()
        .chain(rest.map(|runs| Message::Stock { all: None, more: Some(runs.to_vec()) }))
        .collect()
}
