//! Names: what may stand in a share stays below its folder, and what another system makes of it leads back to it.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use minibit::content::names::{NAME_BYTES_MAX, System, hidden, local, original, portability, shown};
use minibit::content::{Name, TreePath};

const SYSTEMS: [System; 3] = [System::Bytes, System::Utf8, System::Windows];

/// A path: components between the bytes of a slash.
pub fn run(bytes: &[u8]) {
    let mut names: Vec<Name> = Vec::new();
    for component in bytes.split(|byte| *byte == b'/') {
        check_shown(component);
        let name = Name::new(component);
        assert_eq!(name.is_ok(), may_stand(component), "{}", shown(component));
        SYSTEMS.into_iter().for_each(|system| check_found(component, system));
        names.extend(name);
    }
    if names.is_empty() {
        return;
    }
    for system in SYSTEMS {
        names.iter().for_each(|name| check_name(name, system));
        check_apart(&names, system);
        check_below(&names, system);
    }
    check_warnings(TreePath(names));
}

/// What makes a component one step down and nothing else, on every system.
fn may_stand(component: &[u8]) -> bool {
    let is_drive = component.len() == 2 && component[1] == b':' && component[0].is_ascii_alphabetic();
    let is_bad = component.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    (1..=NAME_BYTES_MAX).contains(&component.len())
        && !matches!(component, b"." | b"..")
        && !is_drive
        && !is_bad
}

/// There and back again.
fn check_name(name: &Name, system: System) {
    let Ok(here) = local(name, system) else {
        assert!(system != System::Bytes && name.as_bytes().len() > NAME_BYTES_MAX / 3);
        return;
    };
    assert!(may_stand(&here) && holds(&here, system), "{name} is called {}", shown(&here));
    assert_eq!(original(&here, system), name.as_bytes(), "{name} on {system:?}");
}

/// What is found in a folder has a name in the share, that name leads back to it, and it may stand there.
fn check_found(found: &[u8], system: System) {
    if !may_stand(found) || !holds(found, system) {
        return;
    }
    let name = Name::new(&original(found, system)).unwrap_or_else(|bad| panic!("{}: {bad}", shown(found)));
    assert_eq!(local(&name, system).as_deref(), Ok(found), "{name} on {system:?}");
}

/// No two names become one.
fn check_apart(names: &[Name], system: System) {
    let distinct: BTreeSet<&Name> = names.iter().collect();
    let here: Vec<Vec<u8>> = distinct.iter().filter_map(|name| local(name, system).ok()).collect();
    assert_eq!(here.iter().collect::<BTreeSet<_>>().len(), here.len(), "two of {distinct:?} become one");
}

/// The whole path goes down one step a name, never up and never to another root.
fn check_below(names: &[Name], system: System) {
    let here: Result<Vec<Vec<u8>>, _> = names.iter().map(|name| local(name, system)).collect();
    let Ok(here) = here else { return };
    let Ok(text) = String::from_utf8(here.join(&b'/')) else { return };
    let path = Path::new("root").join(&text);
    let steps: Vec<Component<'_>> = path.components().collect();
    assert_eq!(steps.len(), names.len() + 1, "{path:?}");
    assert!(steps.iter().all(|step| matches!(step, Component::Normal(_))), "{path:?}");
}

/// Whether a system can hold it, as its maker says.
fn holds(name: &[u8], system: System) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return system == System::Bytes };
    if system != System::Windows {
        return true;
    }
    let is_refused = text.chars().any(|c| c < ' ' || "<>:\"|?*".contains(c));
    let stem = text.split('.').next().unwrap_or_default().trim_end_matches([' ', '\t', '\n', '\r', '\u{c}']);
    let devices = ["CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"];
    let is_device = devices.iter().any(|device| stem.eq_ignore_ascii_case(device));
    let port =
        stem.get(..3).filter(|port| ["COM", "LPT"].iter().any(|known| port.eq_ignore_ascii_case(known)));
    let number = port.and_then(|_| stem.get(3..)).map(|rest| rest.chars().collect::<Vec<_>>());
    let is_port = matches!(number.as_deref(), Some(['0'..='9' | '¹' | '²' | '³']));
    !is_refused && !text.ends_with(['.', ' ']) && !is_device && !is_port
}

fn check_shown(component: &[u8]) {
    let safe = shown(component);
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    assert!(!safe.contains(is_unsafe), "{safe:?}");
    assert!(
        safe.len() <= component.len() * 10,
        "it is shown in as many characters as it is long, or some more"
    );
}

fn check_warnings(path: TreePath) {
    let paths = [path.clone(), TreePath(path.0[..1].to_vec()), path];
    let warnings = portability(paths.iter());
    assert!(warnings.len() <= 100 && warnings.iter().all(|line| !line.contains(char::is_control)));
    let is_portable = paths[0].0.iter().all(|name| holds(name.as_bytes(), System::Windows));
    assert!(is_portable || !warnings.is_empty(), "{:?} was not warned of", paths[0]);
    assert!(hidden(paths.iter()).len() <= 1);
}
