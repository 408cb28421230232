//! Holds the page beside this file to its word: every row names tests that are there, or says why it has none.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The groups of the catalogue and how many rows each has.
const GROUPS: [(&str, usize); 7] =
    [("W", 16), ("M", 16), ("S", 17), ("P", 19), ("N", 10), ("C", 9), ("K", 6)];
/// What a row without tests begins with; a reason follows.
const EXCUSES: [&str; 2] = ["not applicable yet: ", "not possible here: "];
const REASON_CHARS_MIN: usize = 20;
/// Lines between a test's first attribute and its name.
const ATTRIBUTE_LINES_MAX: usize = 4;
/// Where the crash matrix begins.
const MATRIX: &str = "## The crash matrix";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_default()
}

fn page() -> String {
    read("tests/catalogue/README.md")
}

/// The cells of a table's rows.
fn tables(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
}

/// What is said to cover each row of the catalogue, by its number.
fn rows(page: &str) -> BTreeMap<&str, &str> {
    let mut rows = BTreeMap::new();
    for cells in tables(page) {
        let [number, _, covered] = cells[..] else { continue };
        let (group, digits) = number.split_at(number.len().min(1));
        if GROUPS.iter().any(|(known, _)| *known == group) && digits.parse::<usize>().is_ok() {
            assert!(rows.insert(number, covered).is_none(), "{number} stands there twice");
        }
    }
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tests that a cell names, `file::name`.
fn tests(cell: &str) -> Vec<&str> {
    quoted(cell).filter(|word| word.contains("::")).collect()
}

/// What is wrong with what is said to cover a row.
fn complaint(covered: &str, is_test: &dyn Fn(&str) -> bool) -> Option<String> {
    if let Some(reason) = EXCUSES.iter().find_map(|excuse| covered.strip_prefix(excuse)) {
        return (reason.chars().count() < REASON_CHARS_MIN).then(|| "gives no reason".to_owned());
    }
    let tests = tests(covered);
    if tests.is_empty() {
        return Some("names no test and gives no reason".to_owned());
    }
    tests.iter().find(|test| !is_test(test)).map(|test| format!("names {test}, which no test run plays"))
}

fn is_test(named: &str) -> bool {
    named.split_once("::").is_some_and(|(file, name)| is_test_in(&read(file), name))
}

/// Whether every run of the tests plays it: it is there, and not ignored.
fn is_test_in(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let opening = format!("fn {name}(");
    let begins = |line: &str| line.strip_prefix("async ").unwrap_or(line).starts_with(&opening);
    let is_played = |at: usize| {
        let before = lines[at.saturating_sub(ATTRIBUTE_LINES_MAX)..at].iter().rev();
        let attributes: Vec<&str> = before.copied().take_while(|line| line.starts_with("#[")).collect();
        let is_any = |word: &str| attributes.iter().any(|attribute| attribute.contains(word));
        is_any("test") && !is_any("ignore")
    };
    (0..lines.len()).any(|at| begins(lines[at]) && is_played(at))
}

#[test]
fn every_row_names_tests_that_are_there_or_says_why_it_has_none() {
    let page = page();
    let rows = rows(&page);
    let numbers = GROUPS.iter().flat_map(|(group, count)| (1..=*count).map(move |n| format!("{group}{n}")));
    let complaints = numbers.filter_map(|number| {
        let complaint = match rows.get(number.as_str()) {
            None => Some("is missing".to_owned()),
            Some(covered) => complaint(covered, &is_test),
        };
        complaint.map(|complaint| format!("{number} {complaint}"))
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "tests/catalogue/README.md: {}", complaints.join("; "));
}

/// The kinds of changes that a download makes of its disk.
fn changes() -> BTreeSet<String> {
    let source = read("src/net/content/store/change.rs");
    let (_, body) = source.split_once("pub enum Change<'a> {").expect("it lies there");
    let (body, _) = body.split_once("\n}").expect("it ends");
    let kinds = body.lines().map(str::trim).filter(|line| line.starts_with(char::is_uppercase));
    kinds.map(|line| line.chars().take_while(|c| c.is_alphanumeric()).collect()).collect()
}

#[test]
fn every_change_of_the_disk_has_its_row_in_the_crash_matrix() {
    let page = page();
    let (_, matrix) = page.split_once(MATRIX).expect("it is on the page");
    let rows: Vec<Vec<&str>> = tables(matrix).skip(1).collect();
    let complaints = rows.iter().filter_map(|cells| {
        let [change, _, _, covered] = cells[..] else { return Some(format!("{cells:?} has not four cells")) };
        complaint(covered, &is_test).map(|complaint| format!("'{change}' {complaint}"))
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "tests/catalogue/README.md: {}", complaints.join("; "));
    let told: BTreeSet<String> = rows.iter().flat_map(|cells| quoted(cells[0])).map(str::to_owned).collect();
    assert!(changes().len() > 5, "{:?}", changes());
    assert_eq!(changes().difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "have no row");
}

#[test]
fn a_row_without_test_or_reason_is_found_out() {
    let is_test = |test: &str| test == "a.rs::it_is_so";
    assert_eq!(complaint("`a.rs::it_is_so`<br>By `word`, too.", &is_test), None);
    assert_eq!(complaint("not applicable yet: there is no compression in the protocol", &is_test), None);
    for covered in
        ["", "by hand", "not possible here: no", "`a.rs::it_was_so`", "`a.rs::it_is_so`<br>`b.rs::it_is_so`"]
    {
        assert!(complaint(covered, &is_test).is_some(), "{covered}");
    }
}

#[test]
fn only_a_function_with_the_attribute_that_is_not_ignored_is_a_test() {
    let text = "#[test]\nfn one() {}\n\nfn two() {}\n\n#[tokio::test(flavor = \"x\")]\nasync fn three() {}\n\n\
                #[test]\n#[ignore = \"long\"]\nfn four() {}\n";
    let seen = ["one", "two", "three", "four", "five"].map(|name| is_test_in(text, name));
    assert_eq!(seen, [true, false, true, false, false]);
}
