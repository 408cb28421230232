//! The test of the test: each fault, made up, is found in its place with its remedy; sound code is left in peace.

use crate::{Finding, check, check_map};

const OPENING: &str = "//! For the fence; not for the house.\n";

/// What is found in a file of this name whose second line begins with `code`.
fn found(file: &str, code: &str) -> Vec<Finding> {
    check(file, &format!("{OPENING}{code}\n"))
}

#[track_caller]
fn assert_found(file: &str, code: &str, line: usize, fault: &str) {
    let findings = found(file, code);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    assert_eq!((finding.file.as_str(), finding.line, finding.fault.as_str()), (file, line, fault));
    assert!(!finding.remedy.is_empty());
    assert!(finding.to_string().starts_with(&format!("{file}:{line}: {fault}; ")));
}

#[track_caller]
fn assert_sound(file: &str, code: &str) {
    assert_eq!(found(file, code), []);
}

#[test]
fn a_room_that_names_what_it_may_not_is_found() {
    assert_found("src/ids.rs", "use crate::time::Moment;", 2, "`ids` names `time`");
    assert_found("src/content/link.rs", "use crate::wire::Role;", 2, "`content` names `wire`");
    assert_found("src/wire/frame/read.rs", "\nfn f(x: crate::seam::Event) {}", 3, "`wire` names `seam`");
    assert_found("src/swarm/mod.rs", "use crate::tracker::Register;", 2, "`swarm` names `tracker`");
    assert_found(
        "src/tracker/mod.rs",
        "use crate::{\n    ids::PeerId,\n    swarm::{Swarm, book},\n};",
        4,
        "`tracker` names `swarm`",
    );
    assert_found("src/tracker/push.rs", "use super::super::node::Node;", 2, "`tracker` names `node`");
    assert_found("src/node/mod.rs", "use crate::net::run;", 2, "`node` names `net`");
    assert_found("src/net/driver.rs", "use crate::console::Bar;", 2, "`net` names `console`");
}

#[test]
fn rooms_that_name_what_they_may_are_left_in_peace() {
    assert_sound("src/wire/message.rs", "use crate::ids::PeerId;\nuse super::frame::decode;");
    assert_sound("src/swarm/picker.rs", "use crate::{chance::Chance, content::Geometry, seam::Event};");
    assert_sound("src/node/mod.rs", "use crate::swarm::Swarm;\nuse crate::tracker::Register;");
    assert_sound(
        "src/net/mod.rs",
        "use crate::node::Node;\nuse std::collections::HashMap;\nuse tokio::net::TcpStream;",
    );
    assert_sound("src/console/bars.rs", "use crate::net::run;\nfn f() { println!(); }\nuse clap::Parser;");
    assert_sound(
        "peer/src/main.rs",
        "use anyhow::Result;\nuse std::env;\n#[tokio::main]\nasync fn main() {}",
    );
}

#[test]
fn leaf_rooms_of_the_swarm_that_name_each_other_are_found() {
    for code in ["use super::session::Session;", "use crate::swarm::session::Session;"] {
        assert_found("src/swarm/picker.rs", code, 2, "`swarm::picker` names `swarm::session`");
    }
    assert_found(
        "src/swarm/choker/mod.rs",
        "use super::{book::Book, Swarm};",
        2,
        "`swarm::choker` names `swarm::book`",
    );
    assert_found(
        "src/swarm/choker/seed.rs",
        "use super::super::book;",
        2,
        "`swarm::choker` names `swarm::book`",
    );
    assert_sound("src/swarm/choker/seed.rs", "use super::Choker;\nuse super::rounds::Round;");
    assert_sound("src/swarm/mod.rs", "use self::picker::Picker;\nuse session::Session;");
    assert_sound("src/swarm/links.rs", "use super::{picker::Picker, session::Session};");
}

#[test]
fn a_room_that_is_not_in_the_table_is_found() {
    assert_found("src/cellar/mod.rs", "", 1, "`cellar` has no place in the house");
}

#[test]
fn what_the_core_may_not_say_is_found() {
    for (code, word) in [
        ("use tokio::sync::mpsc;", "tokio"),
        ("use std::fs::File;", "std::fs"),
        ("use std::{fmt, fs};", "std::fs"),
        ("use std::net::{IpAddr, TcpStream};", "TcpStream"),
        ("type L = std::net::TcpListener;", "TcpListener"),
        ("use std::net::UdpSocket as Socket;", "UdpSocket"),
        ("fn f() -> u64 { std::time::Instant::now() }", "Instant"),
        ("use std::time::{Duration, SystemTime};", "SystemTime"),
        ("fn f() { std::thread::yield_now() }", "std::thread"),
        ("fn f() -> u8 { rand::random() }", "rand"),
        ("use std::collections::{BTreeMap, HashMap};", "HashMap"),
        ("use std::collections::HashSet;", "HashSet"),
        ("fn f() { println!(\"x\") }", "println!"),
        ("fn f() { std::eprintln!(\"x\") }", "eprintln!"),
        ("fn f() { log::info!(\"x\") }", "log"),
        ("fn f() { tracing::info!(\"x\") }", "tracing"),
        ("use std::env;", "std::env"),
        ("use clap::Parser;", "clap"),
        ("use indicatif::ProgressBar;", "indicatif"),
        ("use anyhow::Result;", "anyhow"),
    ] {
        assert_found("src/swarm/mod.rs", code, 2, &format!("says {word}"));
    }
}

#[test]
fn what_the_shell_may_not_say_is_found() {
    for (file, code, word) in [
        ("src/net/driver.rs", "use clap::Parser;", "clap"),
        ("src/net/driver.rs", "use std::env;", "std::env"),
        ("src/net/driver.rs", "use anyhow::Context;", "anyhow"),
        ("src/net/driver.rs", "fn f() { println!() }", "println!"),
        ("src/console/bars.rs", "use anyhow::Context;", "anyhow"),
        ("src/ids.rs", "use serde::Serialize;", "serde"),
        ("peer/src/main.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("src/net/content/tests.rs", "fn f() { todo!() }", "todo!"),
        ("tracker/src/main.rs", "fn f() { unimplemented!() }", "unimplemented!"),
    ] {
        assert_found(file, code, 2, &format!("says {word}"));
    }
}

#[test]
fn a_wall_clock_in_the_shell_is_found_except_where_it_dates_files() {
    let code = "use std::time::{Duration, SystemTime};";
    assert_found("src/net/driver.rs", code, 2, "says SystemTime");
    assert_found("src/net/clock.rs", "use std::time::UNIX_EPOCH;", 2, "says UNIX_EPOCH");
    assert_sound("src/net/content/stamp.rs", code);
}

#[test]
fn comments_strings_and_characters_say_nothing() {
    for code in [
        "// use tokio::net;",
        "/// Like [`std::fs`] and HashMap.\nfn f() {}",
        "/* unsafe /* HashMap */ todo!() */",
        "const A: &str = \"tokio::net \\\" HashMap\";",
        "const A: &str = r#\"say \"HashMap\" and unsafe\"#;",
        "const A: &[u8] = br\"HashMap\\\";",
        "const A: char = '\"'; const B: &str = \"HashMap\";",
        "const A: char = '\\''; const B: &str = \"HashMap\";",
        "fn f<'a>(x: &'a str) -> &'a str { x } // HashMap",
        "const A: char = 'é'; // unsafe",
        "fn f(rand: u64, log: u64) -> bool { rand != log }",
    ] {
        assert_sound("src/swarm/mod.rs", code);
    }
    assert_found(
        "src/swarm/mod.rs",
        "fn f<'a>() {}\nconst A: char = 'x';\nuse a::HashMap;",
        4,
        "says HashMap",
    );
}

#[test]
fn tests_may_name_what_they_like() {
    let tests =
        "#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n    use super::super::session::S;\n}";
    assert_sound("src/swarm/picker.rs", tests);
    assert_sound("src/swarm/picker.rs", "#[cfg(test)]\nmod tests;");
    assert_sound("src/swarm/picker/tests.rs", "use std::collections::HashMap;");
    let after = format!("{tests}\nuse std::collections::HashMap;");
    assert_found("src/swarm/picker.rs", &after, 7, "says HashMap");
    assert_found("src/swarm/picker.rs", "#[cfg(test)]\nmod tests;\nuse std::fs;", 4, "says std::fs");
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    let findings = check("src/ids.rs", "pub struct Id;\n");
    assert_eq!((findings[0].line, findings.len()), (1, 1), "{findings:?}");
}

#[test]
fn a_file_of_more_than_500_lines_is_found() {
    assert_sound("src/ids.rs", &"\n".repeat(498));
    assert_found("src/ids.rs", &"\n".repeat(499), 501, "a file of 501 lines, more than 500");
}

#[test]
fn a_function_of_more_than_70_lines_is_found() {
    let long = |lines: usize| {
        format!(
            "impl A {{\n    pub async fn f(\n        a: u8,\n    ) {{\n{}    }}\n}}",
            "        g();\n".repeat(lines - 4)
        )
    };
    assert_sound("src/ids.rs", &long(70));
    assert_found("src/ids.rs", &long(71), 3, "`f` has 71 lines, more than 70");
    let declared = format!(
        "trait A {{\n    fn f(\n        a: u8,\n    );\n    fn g(&self);\n{}}}",
        "    const N: u8;\n".repeat(80)
    );
    assert_sound("src/ids.rs", &declared);
    assert_sound("src/ids.rs", &format!("fn f() {{}}\n{}", "const A: u8 = 0;\n".repeat(80)));
    let brace = format!("fn f() {{\n    g(\"\n}}\n\");\n{}}}", "    g();\n".repeat(70));
    assert_found("src/ids.rs", &brace, 2, "`f` has 75 lines, more than 70");
}

#[test]
fn a_module_that_the_map_leaves_out_is_found() {
    let lib =
        "//! - `ids`: who and which\n\npub mod ids;\n#[cfg(feature = \"net\")]\npub mod net;\nmod time;\n";
    let findings = check_map(lib);
    let places: Vec<(usize, &str)> =
        findings.iter().map(|finding| (finding.line, finding.fault.as_str())).collect();
    assert_eq!(places, [(5, "the map does not name `net`"), (6, "the map does not name `time`")]);
    assert!(findings[0].to_string().starts_with("src/lib.rs:5: "));
}
