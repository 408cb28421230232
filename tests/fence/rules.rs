//! Who may name whom, and which words belong to whom: the tables of the fence.

use crate::code::without_tests;
use crate::paths::{Named, paths};

/// Line, fault, remedy.
pub type Fault = (usize, String, String);

/// Each top-level module of the library, and the others that it may name.
const ROOMS: [(&str, &[&str]); 12] = [
    ("ids", &[]),
    ("time", &[]),
    ("chance", &[]),
    ("scope", &[]),
    ("content", &["ids"]),
    ("wire", &["ids", "content"]),
    ("seam", &["ids", "time", "content", "wire"]),
    ("swarm", &["ids", "time", "chance", "scope", "content", "wire", "seam"]),
    ("tracker", &["ids", "time", "chance", "scope", "content", "wire", "seam"]),
    ("node", &["ids", "time", "chance", "scope", "content", "wire", "seam", "swarm", "tracker"]),
    ("net", &["ids", "time", "chance", "scope", "content", "wire", "seam", "swarm", "tracker", "node"]),
    (
        "console",
        &["ids", "time", "chance", "scope", "content", "wire", "seam", "swarm", "tracker", "node", "net"],
    ),
];

/// Rooms inside a room that do not name each other; their `mod.rs` and other rooms beside them compose them.
/// (`rate` and `stock` are plain measures and sets that any of them may hold.)
const SIBLINGS: [(&str, &[&str]); 1] = [("swarm", &["book", "session", "picker", "choker"])];

/// What may not be said, and what to do instead. `a::b` is a path's beginning, `a::` a crate, else any name in a path.
type Bans = &'static [(&'static [&'static str], &'static str)];

const EVERYWHERE: Bans =
    &[(&["unsafe"], "find the safe wrapper"), (&["todo!", "unimplemented!"], "write it, or leave it out")];

const STD_ONLY: Bans = &[(
    &[
        "data_encoding::",
        "fixedbitset::",
        "percent_encoding::",
        "serde::",
        "serde_json::",
        "sha2::",
        "thiserror::",
        "unicode_normalization::",
    ],
    "this room stands on std alone",
)];

const TASKS: (&[&str], &str) = (
    &["tokio::", "tokio_util::", "std::thread"],
    "only src/net waits and spawns: say it as an Action or call net",
);
const FILES: (&[&str], &str) = (
    &["std::fs", "cap_std::", "walkdir::", "globset::", "rustix::", "std::process", "std::os"],
    "only src/net opens anything: say it as an Action or call net",
);
const SOCKETS: (&[&str], &str) = (
    &[
        "TcpStream",
        "TcpListener",
        "TcpSocket",
        "UdpSocket",
        "UnixStream",
        "ToSocketAddrs",
        "socket2::",
        "if_addrs::",
    ],
    "only src/net holds sockets: addresses travel as plain values",
);
const CLOCKS: (&[&str], &str) =
    (&["Instant", "SystemTime"], "only src/net reads a clock: take `now: Moment`");
const PERSON: (&[&str], &str) =
    (&["std::env", "clap::", "indicatif::"], "only src/console, tracker/ and peer/ speak with the person");
const ANYHOW: (&[&str], &str) =
    (&["anyhow::"], "only tracker/ and peer/ use anyhow: thiserror in the library");
const PRINTING: (&[&str], &str) = (
    &["println!", "eprintln!", "print!", "eprint!", "log::", "tracing::"],
    "only the programs and their console print: events and actions are the log",
);

const CORE: Bans = &[
    TASKS,
    FILES,
    SOCKETS,
    CLOCKS,
    PERSON,
    ANYHOW,
    PRINTING,
    (&["rand::", "RandomState"], "draw from the seeded Chance that is passed in"),
    (&["HashMap", "HashSet"], "its order is chance: BTreeMap, BTreeSet or a Vec"),
];

const NET: Bans = &[PERSON, ANYHOW, PRINTING];

/// Wall clocks jump. They date files, which is the content's business, and never tell the core when it is.
const NO_WALL_CLOCK: Bans = &[(
    &["SystemTime", "UNIX_EPOCH"],
    "the core's moments come from the monotonic clock of src/net/clock.rs, whatever the wall clock does",
)];

/// The console runs the shell for both programs, so it may wait, look at the time and write what it is told to write.
const CONSOLE: Bans = &[ANYHOW];

/// Faults of naming. Tests inside the library may name what they like.
pub fn faults(file: &str, code: &str) -> Vec<Fault> {
    let module = module_of(file);
    let all = paths(code);
    let mut faults: Vec<Fault> = all.iter().flat_map(|named| banned(EVERYWHERE, named)).collect();
    if file.split('/').any(|part| matches!(part, "tests" | "tests.rs")) {
        return faults;
    }
    let room = module.first().map_or("", String::as_str);
    let is_library = file.starts_with("src/") && !room.is_empty();
    if is_library && !ROOMS.iter().any(|(known, _)| *known == room) {
        let remedy = "give it a row in ROOMS of tests/fence/rules.rs, and a line in the map of src/lib.rs";
        faults.push((1, format!("`{room}` has no place in the house"), remedy.into()));
        return faults;
    }
    for named in paths(&without_tests(code)) {
        let mut bans = if is_library { bans_of(room) } else { vec![] };
        if room == "net" && module.get(1).is_none_or(|inner| inner != "content") {
            bans.push(NO_WALL_CLOCK);
        }
        faults.extend(bans.into_iter().flat_map(|bans| banned(bans, &named)));
        if is_library && let Some(target) = absolute(&module, &named.names) {
            faults.extend(misnamed(&module, &target, named.line));
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

fn bans_of(room: &str) -> Vec<Bans> {
    match room {
        "net" => vec![NET],
        "console" => vec![CONSOLE],
        "ids" | "time" | "chance" => vec![CORE, STD_ONLY],
        _ => vec![CORE],
    }
}

fn banned(bans: Bans, named: &Named) -> Vec<Fault> {
    let fault = |(words, remedy): &(&[&str], &str)| {
        let word = words.iter().find(|word| says(&named.names, word))?;
        Some((named.line, format!("says {}", word.trim_end_matches("::")), (*remedy).to_owned()))
    };
    bans.iter().filter_map(fault).collect()
}

fn says(names: &[String], word: &str) -> bool {
    match word.strip_suffix("::") {
        Some(name) => names.len() > 1 && names[0] == name,
        None if word.contains("::") => {
            word.split("::").enumerate().all(|(n, part)| names.get(n).is_some_and(|name| name == part))
        }
        None => names.iter().any(|name| name == word),
    }
}

/// The module that a file of the library is: `src/swarm/picker/mod.rs` and `src/swarm/picker.rs` are swarm, picker.
fn module_of(file: &str) -> Vec<String> {
    let parts = file.trim_start_matches("src/").trim_end_matches(".rs").split('/');
    parts.filter(|part| !matches!(*part, "mod" | "lib")).map(str::to_owned).collect()
}

/// A path within the library from its root; none for paths of other crates and of the module's own.
fn absolute(module: &[String], names: &[String]) -> Option<Vec<String>> {
    let supers = names.iter().take_while(|name| *name == "super").count();
    match names[0].as_str() {
        "crate" => Some(names[1..].to_vec()),
        "super" if supers <= module.len() => {
            Some([&module[..module.len() - supers], &names[supers..]].concat())
        }
        _ => None,
    }
}

fn misnamed(module: &[String], target: &[String], line: usize) -> Option<Fault> {
    let (room, other) = (module.first()?.as_str(), target.first()?.as_str());
    let (_, may_name) = ROOMS.iter().find(|(known, _)| *known == room)?;
    let is_room = ROOMS.iter().any(|(known, _)| *known == other);
    if room != other && is_room && !may_name.contains(&other) {
        let remedy = if may_name.is_empty() {
            "it names no other room".into()
        } else {
            format!("it may name {}", may_name.join(", "))
        };
        return Some((line, format!("`{room}` names `{other}`"), remedy));
    }
    let (_, siblings) = SIBLINGS.iter().find(|(parent, _)| *parent == room && room == other)?;
    let (one, another) = (module.get(1)?.as_str(), target.get(1)?.as_str());
    let strangers = one != another && siblings.contains(&one) && siblings.contains(&another);
    let remedy = || format!("src/{room}/mod.rs holds both: let it pass what the one needs of the other");
    strangers.then(|| (line, format!("`{room}::{one}` names `{room}::{another}`"), remedy()))
}
