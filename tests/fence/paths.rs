//! The names that code uses: every path, lists in braces spelt out. Not a parser of Rust.

use crate::code::is_word;

/// A path as it was written, and the line of its last name. A macro's name ends with `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub line: usize,
    pub names: Vec<String>,
}

/// Every path in code without comments and strings; a single name is a path too.
pub fn paths(code: &str) -> Vec<Named> {
    let mut reader = Reader { bytes: code.as_bytes(), at: 0, line: 1, found: Vec::new() };
    while reader.at < reader.bytes.len() {
        if is_word(reader.bytes[reader.at]) {
            reader.path(&[]);
        } else {
            reader.step();
        }
    }
    reader.found
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    found: Vec<Named>,
}

impl Reader<'_> {
    fn step(&mut self) {
        self.line += usize::from(self.bytes[self.at] == b'\n');
        self.at += 1;
    }

    fn blanks(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.step();
        }
    }

    fn next_is(&self, words: &str) -> bool {
        self.bytes[self.at..].starts_with(words.as_bytes())
    }

    fn word(&mut self) -> String {
        let begin = self.at;
        while self.bytes.get(self.at).copied().is_some_and(is_word) {
            self.at += 1;
        }
        String::from_utf8_lossy(&self.bytes[begin..self.at]).into_owned()
    }

    /// Reads on from a name or a `*`; what was read of the path so far is `before`.
    fn path(&mut self, before: &[String]) {
        let mut names = before.to_vec();
        let line = self.line;
        match self.word() {
            star if star.is_empty() => self.step(),
            itself if itself == "self" && !before.is_empty() => {}
            name => names.push(name),
        }
        if self.next_is("!") && !self.next_is("!=") {
            names.iter_mut().last().into_iter().for_each(|name| name.push('!'));
        }
        if !self.next_is("::") {
            return self.found.push(Named { line, names });
        }
        self.at += 2;
        match self.bytes.get(self.at) {
            Some(b'{') => self.list(&names),
            Some(byte) if is_word(*byte) => self.path(&names),
            _ => self.found.push(Named { line, names }),
        }
    }

    fn list(&mut self, before: &[String]) {
        self.step();
        loop {
            self.blanks();
            match self.bytes.get(self.at) {
                None => return,
                Some(b'}') => return self.step(),
                Some(b',') => self.step(),
                Some(b'*') => self.path(before),
                Some(byte) if is_word(*byte) => self.path(before),
                Some(_) => self.step(),
            }
            self.renaming();
        }
    }

    /// Passes over ` as name` in a list.
    fn renaming(&mut self) {
        self.blanks();
        if self.next_is("as ") {
            self.at += 3;
            self.word();
        }
    }
}
