//! Which files of a share a person chose, by patterns over their paths.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use globset::{Glob, GlobBuilder, GlobMatcher};

use super::StoreError;
use crate::content::{Metainfo, TreePath, names};

/// The most files that are named when a pattern matches none.
const NAMED_MAX: usize = 5;

/// For each file, whether it was chosen; everything when there is no pattern. A pattern without `/` also matches
/// the file's own name in any folder; `*` never crosses a `/`, `**` does.
pub(super) fn selected(metainfo: &Metainfo, patterns: &[String]) -> Result<Vec<bool>, StoreError> {
    let paths: Vec<PathBuf> = metainfo.files().iter().map(|file| as_named(&file.path)).collect();
    let mut chosen = vec![patterns.is_empty(); paths.len()];
    for pattern in patterns {
        let matcher = matcher(pattern)?;
        let mut matches = 0;
        for (path, chosen) in paths.iter().zip(&mut chosen) {
            let name = path.file_name().filter(|_| !pattern.contains('/'));
            if matcher.is_match(path) || name.is_some_and(|name| matcher.is_match(name)) {
                *chosen = true;
                matches += 1;
            }
        }
        if matches == 0 {
            return Err(nothing(metainfo, pattern));
        }
    }
    Ok(chosen)
}

/// The path as the share names it, whatever this system makes of it.
fn as_named(path: &TreePath) -> PathBuf {
    path.0.iter().map(|name| OsStr::from_bytes(name.as_bytes())).collect()
}

/// `text` itself, if it can be used in [`Plan::select`](super::Plan::select); else what is wrong with it.
pub fn pattern(text: &str) -> Result<String, String> {
    glob(text).map(|_| text.to_owned()).map_err(|error| error.kind().to_string())
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

fn matcher(pattern: &str) -> Result<GlobMatcher, StoreError> {
    let bad = |error: globset::Error| {
        let shown = names::shown(pattern.as_bytes());
        StoreError::Refused(format!("'{shown}' is no pattern: {}", error.kind()))
    };
    Ok(glob(pattern).map_err(bad)?.compile_matcher())
}

fn nothing(metainfo: &Metainfo, pattern: &str) -> StoreError {
    let files = metainfo.files();
    let mut there =
        files.iter().take(NAMED_MAX).map(|file| file.path.to_string()).collect::<Vec<_>>().join(", ");
    if files.is_empty() {
        there = "no file".to_owned();
    } else if files.len() > NAMED_MAX {
        there += &format!(" and {} more", files.len() - NAMED_MAX);
    }
    let shown = names::shown(pattern.as_bytes());
    StoreError::Refused(format!("no file matches '{shown}': the share has {there}"))
}
