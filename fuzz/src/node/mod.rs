//! The whole core: events that bytes make up, in every order, and a checker of its own that watches what it does.
//!
//! The events are such as the shell may give: hostile is only what comes from other machines, the disk and time.

mod book;
mod input;
mod message;
mod stage;
mod story;
mod truth;

use input::Input;
use story::Story;

/// The bytes of a story that are played.
const STORY_BYTES_MAX: usize = 2_000;

/// First who we are, then what happens.
pub fn run(bytes: &[u8]) {
    let mut input = Input(&bytes[..bytes.len().min(STORY_BYTES_MAX)]);
    let mut story = Story::begin(&mut input);
    while !input.is_empty() {
        story.go_on(&mut input);
    }
    story.end();
}
