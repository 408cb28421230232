//! Where the programs keep what they know from run to run: nothing there is missed when it is gone.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// `$XDG_STATE_HOME/minibit`, or `~/.local/state/minibit`, as the XDG base directory specification has it; none for who
/// has no home.
pub fn folder() -> Option<PathBuf> {
    beneath(env::var_os("XDG_STATE_HOME"), env::home_dir())
}

/// What is not absolute is to be ignored, says the specification.
fn beneath(state_home: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let stated = state_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.filter(|path| path.is_absolute()).map(|home| home.join(".local/state"));
    stated.or(home).map(|folder| folder.join("minibit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_lies_where_the_environment_says_or_at_home() {
        let found = |state_home: Option<&str>, home: Option<&str>| {
            beneath(state_home.map(OsString::from), home.map(PathBuf::from))
        };
        assert_eq!(found(Some("/s"), Some("/h")), Some("/s/minibit".into()));
        for nothing in [None, Some(""), Some("here")] {
            assert_eq!(found(nothing, Some("/h")), Some("/h/.local/state/minibit".into()));
            assert_eq!(found(nothing, None), None);
            assert_eq!(found(nothing, Some("")), None);
        }
    }
}
