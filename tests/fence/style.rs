//! How a file begins, and how long it and its functions may get.

use crate::rules::Fault;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Faults of shape, in the text and in its code alone.
pub fn faults(text: &str, code: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !text.starts_with("//! ") {
        let remedy = "begin with one //! sentence: what it is for and what it is not";
        faults.push((1, "the file does not say what it is for".into(), remedy.into()));
    }
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        let fault = format!("a file of {lines} lines, more than {FILE_LINES_MAX}");
        faults.push((lines, fault, "make it a folder of well-named rooms".into()));
    }
    faults.extend(long_functions(code));
    faults
}

/// Relies on rustfmt: a function ends at the first `}` that stands as far in as its `fn`.
fn long_functions(code: &str) -> Vec<Fault> {
    let lines: Vec<&str> = code.lines().map(str::trim_end).collect();
    let long = |(at, line): (usize, &&str)| {
        let name = function_name(line)?;
        let length = function_lines(&lines[at..])?;
        let fault = format!("`{name}` has {length} lines, more than {FUNCTION_LINES_MAX}");
        (length > FUNCTION_LINES_MAX)
            .then(|| (at + 1, fault, "take the leaves out into functions of their own".into()))
    };
    lines.iter().enumerate().filter_map(long).collect()
}

fn function_name(line: &str) -> Option<&str> {
    let words = ["pub", "pub(crate)", "pub(super)", "async", "const", "unsafe", "extern"];
    let (before, after) = line.split_once("fn ")?;
    let is_item = before.split_whitespace().all(|word| words.contains(&word) || word.starts_with("pub(in"));
    is_item.then(|| after.split(['(', '<']).next().unwrap_or(after))
}

fn function_lines(lines: &[&str]) -> Option<usize> {
    let indent = lines[0].len() - lines[0].trim_start().len();
    let is_at = |line: &str, start: &str| {
        line.get(..indent).is_some_and(|blank| blank.trim().is_empty()) && line[indent..].starts_with(start)
    };
    if lines[0].ends_with([';', '}']) {
        return None;
    }
    let end =
        lines.iter().position(|line| is_at(line, "}") || is_at(line, ")") && line.ends_with([';', '}']))?;
    is_at(lines[end], "}").then_some(end + 1)
}
