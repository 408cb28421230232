//! The file of bans: no line spoils another, whatever stands in it.

use minibit::net::fuzz::{bans, with_ban};

/// What a file of bans holds after anything at all happened to it.
pub fn run(bytes: &[u8]) {
    let kept = bans(bytes);
    assert!(kept.len() <= bytes.split(|byte| *byte == b'\n').count());
    let again = kept.iter().fold(Vec::new(), with_ban);
    assert_eq!(bans(&again), kept);
    if let Some(ban) = kept.first() {
        let more = bans(&with_ban(bytes.to_vec(), ban));
        assert_eq!(more.last(), Some(ban), "what is added is read");
        assert_eq!(&more[..kept.len()], &kept, "what was there is still read");
    }
}
