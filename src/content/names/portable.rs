//! What the names of a share would meet elsewhere: systems that cannot hold them, and folders where they do harm.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use super::{Name, SENTENCES_MAX, TreePath, local};

/// What some other system could not hold about these paths: reserved names, trailing dots or blanks,
/// characters Windows refuses, invalid UTF-8, names equal but for case or normal form. One sentence each, at most 100.
pub fn portability<'a>(paths: impl Iterator<Item = &'a TreePath>) -> Vec<String> {
    let mut seen = Seen::default();
    let mut sentences = Vec::new();
    for path in paths {
        for depth in 0..path.0.len() {
            sentences.extend(meet(&mut seen, &path.0[..=depth]));
            if sentences.len() > SENTENCES_MAX {
                sentences.truncate(SENTENCES_MAX - 1);
                sentences.push("and there are more names that another system could not hold".to_owned());
                return sentences;
            }
        }
    }
    sentences
}

/// What was met. A share may have a million names: little is held of each.
#[derive(Default)]
struct Seen<'a> {
    /// By folder and folded name: who bore it first.
    first: BTreeMap<(&'a [Name], Cow<'a, [u8]>), &'a Name>,
    /// The paths that came after it; they are told of, so these stay few.
    later: BTreeSet<&'a [Name]>,
}

/// What is to be said when `path`, a file or a folder, is met: nothing the second time.
fn meet<'a>(seen: &mut Seen<'a>, path: &'a [Name]) -> Option<String> {
    let (name, folder) = path.split_last()?;
    let whole = || TreePath(path.to_vec());
    match seen.first.entry((folder, folded(name.as_bytes()))) {
        Entry::Vacant(place) => {
            place.insert(name);
            refusal(name).map(|why| format!("'{}' {why}", whole()))
        }
        Entry::Occupied(first) if *first.get() == name => None,
        Entry::Occupied(first) => seen.later.insert(path).then(|| {
            format!(
                "'{}' and its neighbour '{}' are one name where case or normal form does not count",
                whole(),
                first.get()
            )
        }),
    }
}

/// Why some system does not hold the name as it is.
fn refusal(name: &Name) -> Option<&'static str> {
    if std::str::from_utf8(name.as_bytes()).is_err() {
        return Some("is not UTF-8, which macOS and Windows ask for");
    }
    local::windows_refusal(name.as_bytes())
}

/// One spelling for all names that differ only in case or normal form (approximately Unicode's caseless matching, D145).
fn folded(name: &[u8]) -> Cow<'_, [u8]> {
    let is_small = |byte: &u8| byte.is_ascii() && !byte.is_ascii_uppercase();
    match std::str::from_utf8(name) {
        Ok(text) if !name.iter().all(is_small) => {
            let upper = text.nfd().collect::<String>().to_uppercase();
            Cow::Owned(upper.to_lowercase().nfc().collect::<String>().into_bytes())
        }
        _ => Cow::Borrowed(name),
    }
}

/// What a person should see before these paths are created: names that a folder listing hides or that a
/// program obeys without being asked. Each once, shown with the folders above it, at most 100.
pub fn hidden<'a>(paths: impl Iterator<Item = &'a TreePath>) -> Vec<String> {
    let mut found: BTreeSet<&[Name]> = BTreeSet::new();
    for path in paths {
        let at = path.0.iter().position(is_hidden);
        found.extend(at.map(|depth| &path.0[..=depth]));
        if found.len() == SENTENCES_MAX {
            break;
        }
    }
    found.into_iter().map(|path| TreePath(path.to_vec()).to_string()).collect()
}

fn is_hidden(name: &Name) -> bool {
    let obeyed = [&b"autorun.inf"[..], b"desktop.ini", b"folder.htt"];
    name.as_bytes().starts_with(b".")
        || obeyed.iter().any(|known| known.eq_ignore_ascii_case(name.as_bytes()))
}
