//! Messages: what is read of a line is written and read again the same; what JSON's own reader refuses is refused.

use minibit::wire::frame::DEPTH_MAX;
use minibit::wire::{LINE_BYTES_MAX, Message, PAYLOAD_BYTES_MAX, WireError, decode, encode};
use serde_json::Value;

/// The most bytes of an error's text.
const SHOWN_BYTES_MAX: usize = 200;

/// A line, its LF taken off.
pub fn run(line: &[u8]) {
    match decode(line) {
        Err(WireError::Malformed(text)) => {
            assert!(
                (1..=SHOWN_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control),
                "{text:?}"
            );
        }
        Err(_) => {}
        Ok(message) => {
            check_json(line);
            message.iter().for_each(check_message);
        }
    }
}

fn check_json(line: &[u8]) {
    match serde_json::from_slice::<Value>(line) {
        Ok(value) => assert!(value.is_object() && depth(&value) <= DEPTH_MAX),
        // JSON knows no largest number, and what stands under an unknown key is not ours to measure.
        Err(error) => assert!(error.to_string().starts_with("number out of range"), "{error}"),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn check_message(message: &Message) {
    assert!(message.payload_bytes() <= PAYLOAD_BYTES_MAX);
    let again: Vec<Message> = lines(message).iter().map(|line| read(line)).collect();
    match (message, &again[..]) {
        (_, [only]) => assert_eq!(only, message),
        (Message::Stock { all, more }, parts) => check_shared_out(all.as_deref(), more.as_deref(), parts),
        (_, parts) => panic!("{message:?} became {} lines", parts.len()),
    }
}

fn lines(message: &Message) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    encode(message, &mut out);
    assert_eq!(out.pop(), Some(b'\n'), "the last line ends");
    out.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn read(line: &[u8]) -> Message {
    assert!(line.len() < LINE_BYTES_MAX);
    decode(line).expect("what is written can be read").expect("what is written is known")
}

/// A stock that is too long for one line says the same in several.
fn check_shared_out(all: Option<&[[u64; 2]]>, more: Option<&[[u64; 2]]>, parts: &[Message]) {
    let mut said: Vec<&[u64; 2]> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let Message::Stock { all: whole, more: added } = part else { panic!("{part:?}") };
        assert_eq!(whole.is_some(), number == 0 && all.is_some(), "only the first may replace");
        said.extend(whole.iter().chain(added).flatten());
    }
    assert!(said.into_iter().eq(all.iter().chain(&more).copied().flatten()));
}
