//! What the names of a share would meet elsewhere: systems that cannot hold them, and folders where they do harm.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;

use super::{Name, SENTENCES_MAX, TreePath, local};

/// What some other system could not hold about these paths: reserved names, trailing dots or blanks,
/// characters Windows refuses, invalid UTF-8, names equal but for case or normal form. One sentence each, at most 100.
pub fn portability<'a>(paths: impl Iterator<Item = &'a TreePath>) -> Vec<String> {
    let mut seen = BTreeMap::new();
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

/// By folder and folded name: who bears it. More than one are told of, so these lists stay short.
type Seen<'a> = BTreeMap<(&'a [Name], Vec<u8>), Vec<&'a Name>>;

/// What is to be said when `path`, a file or a folder, is met: nothing the second time.
fn meet<'a>(seen: &mut Seen<'a>, path: &'a [Name]) -> Option<String> {
    let (name, folder) = path.split_last()?;
    let whole = || TreePath(path.to_vec());
    let bearers = seen.entry((folder, folded(name.as_bytes()))).or_default();
    if bearers.contains(&name) {
        return None;
    }
    bearers.push(name);
    if let [first, _, ..] = bearers[..] {
        return Some(format!(
            "'{}' and its neighbour '{first}' are one name where case or normal form does not count",
            whole()
        ));
    }
    refusal(name).map(|why| format!("'{}' {why}", whole()))
}

/// Why some system does not hold the name as it is.
fn refusal(name: &Name) -> Option<&'static str> {
    if std::str::from_utf8(name.as_bytes()).is_err() {
        return Some("is not UTF-8, which macOS and Windows ask for");
    }
    local::windows_refusal(name.as_bytes())
}

/// One spelling for all names that differ only in case or normal form (approximately Unicode's caseless matching, D145).
fn folded(name: &[u8]) -> Vec<u8> {
    let Ok(name) = std::str::from_utf8(name) else { return name.to_vec() };
    let upper = name.nfd().collect::<String>().to_uppercase();
    upper.to_lowercase().nfc().collect::<String>().into_bytes()
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
