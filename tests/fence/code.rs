//! The code of a source text alone: comments, strings and tests become blanks, every line stays where it is.

/// Comments, strings and characters blanked out.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    while code.len() < bytes.len() {
        let at = code.len();
        match end_of_silent(bytes, at) {
            Some(end) => {
                code.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }))
            }
            None => code.push(bytes[at]),
        }
    }
    String::from_utf8(code).expect("whole characters were blanked")
}

/// The same without the items under `#[cfg(test)]`, as rustfmt lays them out.
pub fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            kept.push('\n');
            let close = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let in_item = |line: &&str| {
                kept.push('\n');
                **line == close
                    || line.ends_with(';') && line.len() - line.trim_start().len() == close.len() - 1
            };
            lines.by_ref().find(in_item);
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Where the comment, string or character that begins here ends, if one does.
fn end_of_silent(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let length = match rest[0] {
        b'/' if rest.starts_with(b"//") => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with(b"/*") => block_comment(rest),
        b'"' => quoted(rest, b'"'),
        b'r' if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => raw_string(rest)?,
        b'\'' => character(rest)?,
        _ => return None,
    };
    Some(at + length)
}

/// Whether the byte may stand in a name.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let step = match &rest[at..] {
            [b'/', b'*', ..] => 1,
            [b'*', b'/', ..] => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    (rest.get(1 + hashes) == Some(&b'"')).then_some(())?;
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &rest[2 + hashes..];
    let end = body.windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| 2 + hashes + end + close.len()))
}

/// A character's length; none for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    let after = 2 + rest.get(2..)?.iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
    (rest.get(after) == Some(&b'\'')).then_some(after + 1)
}
