//! Names of files: what the metainfo may say and how a name is shown; what other systems hold is in the rooms below.

mod local;
mod portable;

use std::fmt;
use std::sync::Arc;

pub use local::{System, local, original};
pub use portable::{hidden, portability};

/// The most bytes of one path component.
pub const NAME_BYTES_MAX: usize = 255;
/// The most components of a path.
pub const PATH_DEPTH_MAX: usize = 100;
/// The most bytes of a path below the share's folder, with a `/` between any two components.
pub const PATH_BYTES_MAX: usize = 4096;
/// Sentences that a person is given about names, at most.
const SENTENCES_MAX: usize = 100;

/// One path component as the metainfo has it: 1 to 255 bytes, never `.`, `..`, nor with `/`, `\` or NUL.
/// Cheap to clone: the files of a folder share its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<[u8]>);

/// Why a name is refused. The metainfo's fault; nothing is created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name '{shown}' {why}")]
pub struct BadName {
    /// The name, escaped for showing, or its beginning.
    pub shown: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl BadName {
    pub(in crate::content) fn new(bytes: &[u8], why: &'static str) -> BadName {
        let mut shown = shown(&bytes[..bytes.len().min(NAME_BYTES_MAX)]);
        if bytes.len() > NAME_BYTES_MAX {
            shown.push('…');
        }
        BadName { shown, why }
    }
}

impl Name {
    /// The name, if it may stand in a share.
    pub fn new(bytes: &[u8]) -> Result<Name, BadName> {
        let why = match bytes {
            b"" => "is empty",
            b"." | b".." => "stands for another folder",
            [letter, b':'] if letter.is_ascii_alphabetic() => "names a drive",
            _ if bytes.len() > NAME_BYTES_MAX => "is longer than 255 bytes",
            _ if bytes.contains(&b'/') => "has a slash in it",
            _ if bytes.contains(&b'\\') => "has a backslash in it",
            _ if bytes.contains(&0) => "has a NUL in it",
            _ => return Ok(Name(bytes.into())),
        };
        Err(BadName::new(bytes, why))
    }

    /// The bytes as the metainfo has them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Shown escaped: control, bidirectional and invisible characters and invalid UTF-8 never reach a terminal raw.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A path below the share's folder: 1 to 100 components. Shown with `/` between them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(pub Vec<Name>);

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { "/" })?;
        }
        Ok(())
    }
}

/// `bytes` as a person may safely see them: one line, nothing invisible, nothing that looks like a separator and is none.
/// What is escaped is written as Rust writes it (`\u{202e}`, `\n`), invalid UTF-8 as `\xff`.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' || c.is_control() {
                text.extend(c.escape_default());
            } else if misleads(c) {
                text.extend(c.escape_unicode());
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

/// Characters that are not seen, that turn the writing round, or that look like a separator: Unicode's
/// `Default_Ignorable_Code_Point` and `Bidi_Control`, line and paragraph separators, the annotation marks,
/// and the slashes among the confusables.
fn misleads(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        | '\u{2044}' | '\u{2215}' | '\u{2216}' | '\u{29f5}' | '\u{29f8}' | '\u{fe68}' | '\u{ff0f}' | '\u{ff3c}')
}
