//! Frames: bytes as a connection brings them are the same lines and payloads however they are cut.

use minibit::net::fuzz::Framing;
use minibit::wire::{LINE_BYTES_MAX, WireError, decode};

/// Bytes of an input that are cut at every place, and where many blanks come before them.
const EVERY_PLACE_MAX: usize = 512;
const EVERY_PLACE_AFTER_BLANKS_MAX: usize = 32;

/// What a connection brings, cut once: where, the first two bytes say.
pub fn run(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first_chunk() else { return };
    let parts = parts(stream);
    check(stream, usize::from(u16::from_le_bytes(*cut)) % (stream.len() + 1), &parts);
}

/// What a connection brings, cut once at every place, and byte by byte. The first byte says how many blanks come before
/// it, where they make the line about as long as it may be.
pub fn run_at_every_place(bytes: &[u8]) {
    let Some(([blanks], rest)) = bytes.split_first_chunk() else { return };
    let (blanks, most) = match blanks.checked_sub(240) {
        Some(more) => (LINE_BYTES_MAX - 32 + 4 * usize::from(more), EVERY_PLACE_AFTER_BLANKS_MAX),
        None => (0, EVERY_PLACE_MAX),
    };
    let stream = [&vec![b' '; blanks], &rest[..rest.len().min(most)]].concat();
    let parts = parts(&stream);
    (blanks..=stream.len()).for_each(|cut| check(&stream, cut, &parts));
    let mut slow =
        Slow { framing: Framing::default(), left: &stream, step: if blanks == 0 { 1 } else { 4096 } };
    parts.iter().for_each(|part| slow.expect(part));
}

/// What stands in a stream, found without the code that is tried.
enum Part<'a> {
    Line(&'a [u8]),
    Payload(&'a [u8]),
    TooLong,
    Unfinished(usize),
}

fn parts(stream: &[u8]) -> Vec<Part<'_>> {
    let (mut parts, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let window = &rest[..rest.len().min(LINE_BYTES_MAX)];
        let Some(end) =
            window.split(|byte| *byte == b'\n').next().map(<[u8]>::len).filter(|end| *end < window.len())
        else {
            let is_too_long = rest.len() >= LINE_BYTES_MAX;
            parts.push(if is_too_long { Part::TooLong } else { Part::Unfinished(rest.len()) });
            return parts;
        };
        parts.push(Part::Line(&rest[..end]));
        let Ok(message) = decode(&rest[..end]) else { return parts };
        rest = &rest[end + 1..];
        let payload = message.map_or(0, |message| message.payload_bytes() as usize).min(rest.len());
        parts.push(Part::Payload(&rest[..payload]));
        rest = &rest[payload..];
    }
    parts
}

fn check(stream: &[u8], cut: usize, parts: &[Part<'_>]) {
    let mut slow = Slow { framing: Framing::default(), left: &stream[..cut], step: usize::MAX };
    let mut is_cut = true;
    for part in parts {
        slow.expect_over(part, &mut || std::mem::take(&mut is_cut).then_some(&stream[cut..]));
    }
}

/// A connection that brings so many bytes at once.
struct Slow<'a> {
    framing: Framing,
    left: &'a [u8],
    step: usize,
}

impl<'a> Slow<'a> {
    fn expect(&mut self, part: &Part<'_>) {
        self.expect_over(part, &mut || None);
    }

    /// `next` gives what comes after the cut.
    fn expect_over(&mut self, part: &Part<'_>, next: &mut dyn FnMut() -> Option<&'a [u8]>) {
        match part {
            Part::Line(line) => self.expect_line(line, next),
            Part::Payload(payload) => self.expect_payload(payload, next),
            Part::TooLong => assert_eq!(self.line(next), Err(WireError::LineTooLong)),
            Part::Unfinished(length) => {
                assert_eq!(self.line(next), Ok(None));
                let mut held = vec![0; LINE_BYTES_MAX];
                assert_eq!(self.framing.raw(&mut held), *length, "what is no whole line waits");
            }
        }
    }

    fn expect_line(&mut self, line: &[u8], next: &mut dyn FnMut() -> Option<&'a [u8]>) {
        assert_eq!(self.line(next), Ok(Some(line.to_vec())));
    }

    fn line(&mut self, next: &mut dyn FnMut() -> Option<&'a [u8]>) -> Result<Option<Vec<u8>>, WireError> {
        loop {
            if let Some(line) = self.framing.line()? {
                return Ok(Some(line.to_vec()));
            }
            if !self.more(next) {
                return Ok(None);
            }
        }
    }

    fn expect_payload(&mut self, payload: &[u8], next: &mut dyn FnMut() -> Option<&'a [u8]>) {
        let (mut taken, mut have) = (vec![0; payload.len()], 0);
        while have < taken.len() {
            let count = self.framing.raw(&mut taken[have..]);
            have += count;
            assert!(count > 0 || self.more(next), "the payload came whole");
        }
        assert_eq!(taken, payload);
    }

    fn more(&mut self, next: &mut dyn FnMut() -> Option<&'a [u8]>) -> bool {
        if self.left.is_empty() {
            let Some(rest) = next() else { return false };
            self.left = rest;
        }
        let count = self.framing.give(&self.left[..self.left.len().min(self.step)]);
        self.left = &self.left[count..];
        count > 0 || self.left.is_empty()
    }
}
