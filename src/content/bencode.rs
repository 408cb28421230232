//! A strict bencode reader and writer (BEP 3): canonical input only, raw slices kept.
//!
//! The reader is asked for what should come next, so nothing is built that nobody wants: what is skipped is only checked.
//! Canonical means one spelling for each value: keys sorted and unique, no leading zeros, no `-0`, nothing after the end.

use std::ops::Range;

/// How deep lists and dictionaries may stand in one another. A metainfo with paths of 100 components needs 104.
pub const DEPTH_MAX: usize = 128;
/// Digits of the longest number that is read: those of 2^64.
const DIGITS_MAX: usize = 20;

/// Bytes that are not canonical bencode, or not of the kind that was asked for. The giver's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {why}")]
pub struct Malformed {
    /// Where in the input.
    pub at: usize,
    /// What should be there, or should not.
    pub why: &'static str,
}

/// What a value is, as its first byte tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `i…e`
    Integer,
    /// `3:abc`
    String,
    /// `l…e`
    List,
    /// `d…e`
    Dictionary,
}

/// Reads values one after the other from bytes that it borrows.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader::at(bytes, 0)
    }

    /// A reader at the value that begins at byte `at` of `bytes`.
    pub fn at(bytes: &'a [u8], at: usize) -> Reader<'a> {
        Reader { bytes, at, depth: 0 }
    }

    /// Where in the input it stands.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The error that blames what stands at the reader.
    pub fn malformed(&self, why: &'static str) -> Malformed {
        Malformed { at: self.at, why }
    }

    /// What comes next.
    pub fn kind(&self) -> Result<Kind, Malformed> {
        match self.bytes.get(self.at) {
            Some(b'i') => Ok(Kind::Integer),
            Some(b'0'..=b'9') => Ok(Kind::String),
            Some(b'l') => Ok(Kind::List),
            Some(b'd') => Ok(Kind::Dictionary),
            Some(_) => Err(self.malformed("no value begins like this")),
            None => Err(self.malformed("the end, where a value should be")),
        }
    }

    /// Whether `ahead` comes next.
    pub fn sees(&self, ahead: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(ahead)
    }

    /// An integer that is not negative.
    pub fn unsigned(&mut self) -> Result<u64, Malformed> {
        let start = self.at;
        self.integer()?
            .parse()
            .map_err(|_| Malformed { at: start, why: "a number from 0 to 2^64 - 1 should be here" })
    }

    /// An integer of at most 20 digits, as it is written.
    pub fn integer(&mut self) -> Result<&'a str, Malformed> {
        self.expect(b'i', "a number should be here")?;
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
            if self.bytes.get(self.at) == Some(&b'0') {
                return Err(self.malformed("a number is written -0 or with a leading zero"));
            }
        }
        self.digits()?;
        let text = std::str::from_utf8(&self.bytes[start..self.at]).expect("digits are ASCII");
        self.expect(b'e', "a number should end here")?;
        Ok(text)
    }

    /// A string, which is any bytes.
    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        let too_long = Malformed { at: start, why: "a string is longer than what is left" };
        let length: usize = self.digits()?.parse().map_err(|_| too_long)?;
        self.expect(b':', "a colon should follow the length of a string")?;
        let rest = &self.bytes[self.at..];
        let string = rest.get(..length).ok_or(too_long)?;
        self.at += length;
        Ok(string)
    }

    /// A list: `item` is called at each of its values and must read exactly that one.
    pub fn list<E: From<Malformed>>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter(b'l', "a list should be here")?;
        while !self.leave() {
            item(self)?;
        }
        Ok(())
    }

    /// A dictionary: `entry` is called with each key and must read exactly the value that stands behind it.
    pub fn dictionary<E: From<Malformed>>(
        &mut self,
        mut entry: impl FnMut(&'a [u8], &mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.enter(b'd', "a dictionary should be here")?;
        let mut previous = None;
        while !self.leave() {
            let at = self.at;
            let key = self.string()?;
            if previous.is_some_and(|previous| previous >= key) {
                return Err(Malformed { at, why: "a key is repeated or not in order" }.into());
            }
            previous = Some(key);
            entry(key, self)?;
        }
        Ok(())
    }

    /// Any value, checked; where it stands in the input.
    pub fn skip(&mut self) -> Result<Range<usize>, Malformed> {
        let start = self.at;
        match self.kind()? {
            Kind::Integer => self.integer().map(drop)?,
            Kind::String => self.string().map(drop)?,
            Kind::List => self.list(|reader| reader.skip().map(drop))?,
            Kind::Dictionary => self.dictionary(|_, reader| reader.skip().map(drop))?,
        }
        Ok(start..self.at)
    }

    /// Nothing may follow.
    pub fn finish(self) -> Result<(), Malformed> {
        if self.at < self.bytes.len() { Err(self.malformed("something follows the end")) } else { Ok(()) }
    }

    fn expect(&mut self, byte: u8, why: &'static str) -> Result<(), Malformed> {
        if self.bytes.get(self.at) != Some(&byte) {
            return Err(self.malformed(why));
        }
        self.at += 1;
        Ok(())
    }

    fn digits(&mut self) -> Result<&'a str, Malformed> {
        let rest = &self.bytes[self.at..];
        let digits = rest.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        match digits {
            0 => return Err(self.malformed("a digit should be here")),
            1 => {}
            _ if digits > DIGITS_MAX => return Err(self.malformed("a number has more than 20 digits")),
            _ if rest[0] == b'0' => return Err(self.malformed("a number has a leading zero")),
            _ => {}
        }
        self.at += digits;
        Ok(std::str::from_utf8(&rest[..digits]).expect("digits are ASCII"))
    }

    fn enter(&mut self, byte: u8, why: &'static str) -> Result<(), Malformed> {
        self.expect(byte, why)?;
        if self.depth == DEPTH_MAX {
            return Err(self.malformed("values stand too deep in one another"));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) -> bool {
        let end = self.bytes.get(self.at) == Some(&b'e');
        if end {
            self.at += 1;
            self.depth -= 1;
        }
        end
    }
}

/// Writes values one after the other. The caller keeps keys in order and closes what it opens.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A writer with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer(Vec::with_capacity(bytes))
    }

    /// An integer.
    pub fn integer(&mut self, number: i128) -> &mut Writer {
        self.raw(format!("i{number}e").as_bytes())
    }

    /// A string, or the key that comes next.
    pub fn string(&mut self, bytes: &[u8]) -> &mut Writer {
        self.string_head(bytes.len()).raw(bytes)
    }

    /// Begins a string of `length` bytes, which [`Writer::raw`] must write.
    pub fn string_head(&mut self, length: usize) -> &mut Writer {
        self.raw(format!("{length}:").as_bytes())
    }

    /// Begins a list.
    pub fn list(&mut self) -> &mut Writer {
        self.raw(b"l")
    }

    /// Begins a dictionary.
    pub fn dictionary(&mut self) -> &mut Writer {
        self.raw(b"d")
    }

    /// Ends what was begun last.
    pub fn end(&mut self) -> &mut Writer {
        self.raw(b"e")
    }

    /// A value that is written already, or a part of one.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Writer {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Bytes written.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}
