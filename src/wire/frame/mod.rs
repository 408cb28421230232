//! Lines to messages and back; every limit is checked before memory is set aside. Reads no socket.

mod keys;
mod object;
mod read;
mod scan;
mod write;

use super::message::ErrorCode;

pub use read::decode;
pub use write::encode;

/// The longest line, LF included.
pub const LINE_BYTES_MAX: usize = 65_536;
/// The longest payload.
pub const PAYLOAD_BYTES_MAX: u32 = 1_048_576;
/// How deep JSON may nest, also inside unknown keys.
pub const DEPTH_MAX: usize = 32;
/// The most entries of a `LISTA_PEERS`.
pub const PEERS_MAX: usize = 200;
/// The most bytes kept of `agente`.
pub const AGENT_BYTES_MAX: usize = 256;
/// The most bytes kept of `mensagem`.
pub const TEXT_BYTES_MAX: usize = 1_000;

/// What makes the other side's bytes a protocol error: it is told why, then the link is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No LF within [`LINE_BYTES_MAX`].
    #[error("a line of more than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    /// Anything else about the line. The text is short and printable, whatever the line held.
    #[error("{0}")]
    Malformed(String),
    /// A payload over [`PAYLOAD_BYTES_MAX`].
    #[error("a payload of {0} bytes, more than {PAYLOAD_BYTES_MAX}")]
    PayloadTooLong(u64),
    /// A `versao` other than 1.
    #[error("version {0} of the wire; this side speaks 1")]
    Version(u64),
}

impl WireError {
    /// What the `ERRO` that answers it says.
    pub fn code(&self) -> ErrorCode {
        match self {
            WireError::Version(_) => ErrorCode::Version,
            _ => ErrorCode::Protocol,
        }
    }
}

/// What the first byte of a connection announces. All but the first are refused until they exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `{`, or a blank that JSON allows before it.
    Minibit,
    /// 0x13, the length of BEP 3's protocol name.
    BitTorrent,
    /// An ASCII letter.
    Http,
    /// 0x00: reserved for encrypted links.
    Encrypted,
    /// Nothing that anybody agreed on.
    Unknown,
}

/// Which protocol a connection that begins with this byte speaks.
pub fn first_byte(byte: u8) -> Protocol {
    match byte {
        b'{' | b' ' | b'\t' | b'\r' | b'\n' => Protocol::Minibit,
        0x13 => Protocol::BitTorrent,
        b'a'..=b'z' | b'A'..=b'Z' => Protocol::Http,
        0x00 => Protocol::Encrypted,
        _ => Protocol::Unknown,
    }
}

/// The first line of what was received, its LF taken off, and the bytes it used with it. `None`: not all there yet.
///
/// Refused as soon as [`LINE_BYTES_MAX`] bytes came without LF. The first `searched` bytes are known to have none, so that
/// a line that comes byte by byte is not looked at from its beginning each time.
pub fn split(input: &[u8], searched: usize) -> Result<Option<(&[u8], usize)>, WireError> {
    let window = &input[..input.len().min(LINE_BYTES_MAX)];
    let rest = &window[searched.min(window.len())..];
    match rest.iter().position(|byte| *byte == b'\n').map(|place| window.len() - rest.len() + place) {
        Some(end) => Ok(Some((&input[..end], end + 1))),
        None if window.len() == LINE_BYTES_MAX => Err(WireError::LineTooLong),
        None => Ok(None),
    }
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and whole characters only.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
