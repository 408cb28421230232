//! Names: what is refused, how they are shown, what other systems could not hold, and what they are called there.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use minibit::content::names::{System, hidden, local, original, portability, shown};
use minibit::content::{Name, TreePath};
use proptest::prelude::*;

fn name(bytes: &[u8]) -> Name {
    Name::new(bytes).unwrap()
}

fn paths(texts: &[&str]) -> Vec<TreePath> {
    texts.iter().map(|text| TreePath(text.split('/').map(|part| name(part.as_bytes())).collect())).collect()
}

fn warnings(texts: &[&str]) -> Vec<String> {
    portability(paths(texts).iter())
}

#[test]
fn a_name_is_one_component_and_nothing_else() {
    for bad in [
        &b""[..],
        b".",
        b"..",
        b"/",
        b"a/b",
        b"/a",
        b"a/",
        b"\\",
        b"a\\b",
        b"\\\\?\\x",
        b"C:",
        b"a\0",
        &[b'a'; 256],
    ] {
        assert!(Name::new(bad).is_err(), "{}", shown(bad));
    }
    for good in
        [&b"..."[..], b"..foo", b"foo...bar", b"C:a", b" ", b"-", b"~", b"\xff", b"\n", b"CON", &[b'a'; 255]]
    {
        assert_eq!(name(good).as_bytes(), good);
    }
}

#[test]
fn a_refusal_names_the_name_and_stays_short() {
    assert_eq!(Name::new(b"..").unwrap_err().to_string(), "the name '..' stands for another folder");
    assert!(Name::new(&vec![0xff; 1 << 20]).unwrap_err().to_string().len() < 2000);
}

#[test]
fn what_misleads_the_eye_is_shown_escaped() {
    let table = [
        ("plain name (1).txt", "plain name (1).txt"),
        ("é 日本語 🎬 العربية", "é 日本語 🎬 العربية"),
        ("cod\u{202e}gpj.exe", "cod\\u{202e}gpj.exe"),
        ("\u{2066}a\u{2069}", "\\u{2066}a\\u{2069}"),
        ("a\u{200b}b\u{200d}c\u{feff}", "a\\u{200b}b\\u{200d}c\\u{feff}"),
        ("a\u{ad}b\u{3164}", "a\\u{ad}b\\u{3164}"),
        ("a\u{ff0f}b\u{2215}c\u{2044}", "a\\u{ff0f}b\\u{2215}c\\u{2044}"),
        ("\u{1b}[31m\r\n\t\u{7f}\u{9b}", "\\u{1b}[31m\\r\\n\\t\\u{7f}\\u{9b}"),
        ("a\\nb", "a\\\\nb"),
        ("\u{2028}\u{e0041}", "\\u{2028}\\u{e0041}"),
    ];
    for (raw, safe) in table {
        assert_eq!(shown(raw.as_bytes()), safe);
    }
    assert_eq!(shown(b"a\xffb\xc3"), "a\\xffb\\xc3");
    assert_eq!(paths(&["a\u{202e}/b"])[0].to_string(), "a\\u{202e}/b");
    assert_eq!(format!("{:?}", name(b"a\xff")), "a\\xff");
}

#[test]
fn names_that_windows_could_not_hold_are_warned_of() {
    let bad = [
        "CON",
        "con",
        "nul.txt",
        "Aux.tar.gz",
        "prn",
        "COM1",
        "lpt9.log",
        "LPT¹",
        "clock$",
        "CONIN$",
        "nul .txt",
        "dot.",
        "blank ",
        "a:b",
        "a?b",
        "a*b",
        "a<b",
        "a>b",
        "a|b",
        "a\"b",
        "a\nb",
        "C:x",
    ];
    for bad in bad {
        let found = warnings(&[&format!("folder/{bad}/file"), &format!("folder/{bad}/other")]);
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with(&format!("'folder/{}' ", shown(bad.as_bytes()))), "{found:?}");
    }
    let fine = ["con2", "console", "COM", "COM10", "null", "a.con", ".hidden", " a", "a%3Ab", "é", "clock"];
    assert_eq!(warnings(&fine), Vec::<String>::new());
    let invalid = [TreePath(vec![name(b"a\xff")])];
    assert!(portability(invalid.iter())[0].contains("UTF-8"));
}

#[test]
fn names_that_fold_together_are_warned_of() {
    let pairs = [
        ("a", "A"),
        ("é", "e\u{301}"),
        ("ß", "SS"),
        ("ß", "ss"),
        ("É", "e\u{301}"),
        ("ﬁ", "fi"),
        ("σ", "ς"),
        ("ǆ", "ǅ"),
    ];
    for (one, other) in pairs {
        let found = warnings(&[one, other]);
        assert_eq!(found.len(), 1, "{one} {other}");
        assert!(found[0].contains("one name where case or normal form does not count"), "{found:?}");
        assert_eq!(
            warnings(&[&format!("x/{one}/1"), &format!("x/{other}/2"), &format!("x/{other}/3")]).len(),
            1,
            "folders {one} {other}"
        );
        assert_eq!(warnings(&[&format!("x/{one}"), &format!("y/{other}")]).len(), 0, "in different folders");
    }
    assert_eq!(warnings(&["a", "á", "b", "a/b", "a/c"]).len(), 0);
}

#[test]
fn a_person_gets_at_most_a_hundred_sentences() {
    let many: Vec<String> = (0..500).map(|number| format!("{number}?")).collect();
    let found = portability(many.iter().flat_map(|text| paths(&[text])).collect::<Vec<_>>().iter());
    assert_eq!(found.len(), 100);
    assert!(found[99].contains("more"));
    let just = portability(many.iter().take(100).flat_map(|text| paths(&[text])).collect::<Vec<_>>().iter());
    assert!(just.len() == 100 && !just[99].contains("more"), "{just:?}");
    let dots: Vec<String> = (0..500).map(|number| format!(".{number}")).collect();
    assert_eq!(hidden(dots.iter().flat_map(|text| paths(&[text])).collect::<Vec<_>>().iter()).len(), 100);
}

#[test]
fn hidden_and_harmful_names_are_found_once() {
    let share = paths(&[
        "a",
        ".ssh/authorized_keys",
        "b/.git/hooks/x",
        "b/.git/config",
        "AutoRun.inf",
        "c/desktop.ini",
        "d.e",
    ]);
    assert_eq!(hidden(share.iter()), [".ssh", "AutoRun.inf", "b/.git", "c/desktop.ini"]);
}

#[test]
fn only_what_cannot_be_held_is_changed() {
    let table: [(&[u8], &[u8]); 13] = [
        (b"plain.txt", b"plain.txt"),
        (b"100%", b"100%"),
        (b"100%25", b"100%25"),
        (b"a%20b", b"a%20b"),
        (b"a:b", b"a%3Ab"),
        (b"a:50%", b"a%3A50%25"),
        (b"a%3Ab", b"a%253Ab"),
        (b"a%3ab", b"a%3ab"),
        (b"nul.txt", b"%6Eul.txt"),
        (b"dot..", b"dot.%2E"),
        (b"CON ", b"%43ON%20"),
        (b"\xff\xc3\xa9", b"%FF\xc3\xa9"),
        (b"\xff\xff.", b"%FF%FF%2E"),
    ];
    for (there, here) in table {
        assert_eq!(shown(&local(&name(there), System::Windows).unwrap()), shown(here));
        assert_eq!(shown(&local(&name(there), System::Bytes).unwrap()), shown(there));
    }
    assert_eq!(local(&name(b"a:\xff"), System::Utf8).unwrap(), b"a:%FF");
    assert_eq!(local(&name(&[b':'; 85]), System::Windows).unwrap().len(), 255);
    assert!(local(&name(&[b':'; 86]), System::Windows).is_err());
}

#[test]
fn what_looks_changed_from_what_is_no_name_is_a_name_itself() {
    for found in [&b"%2E"[..], b".%2E", b"C%3A", b"%00", b"c%00#"] {
        assert_eq!(shown(&original(found, System::Windows)), shown(found));
        assert_eq!(local(&name(found), System::Windows).unwrap(), found);
    }
}

fn names() -> impl Strategy<Value = Name> {
    let tricky = prop::sample::select(vec![
        "a", "%", "3A", "25", "%3A", "%25", ":", ".", " ", "CON", "%43ON", "%43", "nul", "é", "COM1", "?",
        "%2E", "FF", "\u{1}",
    ]);
    let text = prop::collection::vec(tricky, 1..6).prop_map(|parts| parts.concat().into_bytes());
    let any_bytes = prop::collection::vec(any::<u8>(), 1..40);
    let mixed = (text.clone(), any::<u8>()).prop_map(|(mut text, byte)| {
        text.push(byte);
        text
    });
    prop_oneof![text, mixed, any_bytes].prop_filter_map("a name", |bytes| Name::new(&bytes).ok())
}

proptest! {
    #[test]
    fn a_name_is_accepted_just_when_it_stays_in_its_folder(bytes in prop::collection::vec(any::<u8>(), 0..6), text in "[./\\\\a:Z]{0,5}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let drive = bytes.len() == 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
            let other_folder = matches!(bytes, b"" | b"." | b"..");
            let stays = !drive && !other_folder && !bytes.iter().any(|byte| b"/\\\0".contains(byte));
            prop_assert_eq!(Name::new(bytes).is_ok(), stays);
        }
    }

    #[test]
    fn what_is_shown_is_one_safe_line(bytes in prop::collection::vec(any::<u8>(), 0..60), text in any::<String>()) {
        for bytes in [&bytes[..], text.as_bytes()] {
            let safe = shown(bytes);
            let unsafe_there = safe.chars().any(|c| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c));
            prop_assert!(!unsafe_there);
            prop_assert_eq!(shown(safe.replace('\\', "").as_bytes()), safe.replace('\\', ""));
        }
    }

    #[test]
    fn two_names_are_never_shown_alike(one in names(), other in names()) {
        prop_assert!(one == other || one.to_string() != other.to_string());
    }

    #[test]
    fn on_linux_no_name_changes(name in names()) {
        prop_assert_eq!(local(&name, System::Bytes).unwrap(), name.as_bytes());
        prop_assert_eq!(original(name.as_bytes(), System::Bytes), name.as_bytes());
    }

    #[test]
    fn a_changed_name_can_be_held_and_changed_back(name in names()) {
        for system in [System::Utf8, System::Windows] {
            let here = local(&name, system).unwrap();
            prop_assert_eq!(original(&here, system), name.as_bytes());
            prop_assert!(std::str::from_utf8(&here).is_ok());
            let path = [TreePath(vec![Name::new(&here).unwrap()])];
            prop_assert!(system != System::Windows || portability(path.iter()).is_empty());
        }
    }

    #[test]
    fn two_names_never_become_one(one in names(), other in names()) {
        for system in [System::Bytes, System::Utf8, System::Windows] {
            prop_assert!(one == other || local(&one, system) != local(&other, system));
        }
    }
}
