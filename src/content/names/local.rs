//! What a name is called where it is written: itself, unless that system cannot hold it; and back again.
//!
//! The bytes that cannot be held are written `%3A`. So that the way back is certain, a name that already looks like
//! the outcome of such a change is changed too; all others, also with a `%` in them, stay as they are.

use super::{BadName, NAME_BYTES_MAX, Name};

/// What a file system can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Any bytes but `/` and NUL: Linux and its kin.
    Bytes,
    /// Any UTF-8: macOS.
    Utf8,
    /// What Windows and its file systems hold.
    Windows,
}

impl System {
    /// The one this program was built for.
    pub fn here() -> System {
        if cfg!(windows) {
            System::Windows
        } else if cfg!(target_vendor = "apple") {
            System::Utf8
        } else {
            System::Bytes
        }
    }

    fn holds(self, name: &[u8]) -> bool {
        match self {
            System::Bytes => true,
            System::Utf8 => std::str::from_utf8(name).is_ok(),
            System::Windows => std::str::from_utf8(name).is_ok() && windows_refusal(name).is_none(),
        }
    }
}

/// What `name` is called on `system`. Refused only where the changed name would be longer than 255 bytes.
pub fn local(name: &Name, system: System) -> Result<Vec<u8>, BadName> {
    let bytes = name.as_bytes();
    if !is_changed(bytes, system) {
        return Ok(bytes.to_vec());
    }
    let changed = escaped(bytes, system);
    if changed.len() > NAME_BYTES_MAX {
        return Err(BadName::new(bytes, "cannot be held here, and is too long to be written in another way"));
    }
    Ok(changed)
}

/// The name in the share of what is called `local` on `system`: the inverse of [`local`].
pub fn original(local: &[u8], system: System) -> Vec<u8> {
    if looks_escaped(local, system) { unescaped(local) } else { local.to_vec() }
}

/// Whether `name` has another name on `system`: it cannot be held, or it is what another name is changed to.
fn is_changed(name: &[u8], system: System) -> bool {
    !system.holds(name) || looks_escaped(name, system)
}

/// Ends, because what `name` was escaped from is shorter: no `%` is left as it is. What is no name in any share was never
/// escaped: a file called `%2E` or `C%3A` is just that.
fn looks_escaped(name: &[u8], system: System) -> bool {
    if !name.contains(&b'%') {
        return false; // as nearly all, and asked for each time that a file is opened
    }
    let plain = unescaped(name);
    Name::new(&plain).is_ok() && escaped(&plain, system) == name && is_changed(&plain, system)
}

fn escaped(name: &[u8], system: System) -> Vec<u8> {
    let reserved = system == System::Windows && is_reserved(name);
    let mut text = Vec::with_capacity(name.len());
    let mut at = 0;
    for chunk in name.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            let bad_place = (reserved && at == 0) || (at + 1 == name.len() && matches!(byte, b'.' | b' '));
            let refused = system == System::Windows && (is_refused(byte) || bad_place);
            push(&mut text, byte, refused || byte == b'%');
            at += 1;
        }
        at += chunk.invalid().len();
        chunk.invalid().iter().for_each(|byte| push(&mut text, *byte, true));
    }
    text
}

fn push(text: &mut Vec<u8>, byte: u8, escape: bool) {
    if escape {
        text.extend(format!("%{byte:02X}").into_bytes());
    } else {
        text.push(byte);
    }
}

fn unescaped(name: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(name).collect()
}

/// Why Windows does not hold this name, as the end of a sentence about it. None is too long for it: who takes at most 255
/// bytes never has more than its 255 UTF-16 units.
pub(super) fn windows_refusal(name: &[u8]) -> Option<&'static str> {
    if name.iter().any(|byte| is_refused(*byte)) {
        return Some("has a character that Windows refuses (a control character or one of <>:\"|?*)");
    }
    if matches!(name.last(), Some(b'.' | b' ')) {
        return Some("ends in a dot or a blank, which Windows drops");
    }
    is_reserved(name).then_some("is the name of a device on Windows")
}

fn is_refused(byte: u8) -> bool {
    byte < 0x20 || b"<>:\"|?*".contains(&byte)
}

/// The names of DOS devices, whatever follows a dot (Microsoft, "Naming Files, Paths, and Namespaces").
fn is_reserved(name: &[u8]) -> bool {
    let stem =
        name.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii_end().to_ascii_uppercase();
    let devices = [&b"CON"[..], b"PRN", b"AUX", b"NUL", b"CLOCK$", b"CONIN$", b"CONOUT$"];
    let ports = [&b"COM"[..], b"LPT"];
    let numbers = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"];
    let is_number = |rest: &[u8]| numbers.iter().any(|number| number.as_bytes() == rest);
    devices.contains(&&stem[..]) || ports.iter().any(|port| stem.strip_prefix(*port).is_some_and(is_number))
}
