//! Bencode: what is read is written again as the very same bytes, because there is one spelling for each value.

use minibit::content::bencode::{DEPTH_MAX, Kind, Malformed, Reader, Writer};

/// One value.
pub fn run(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let skipped = reader.skip();
    let end = reader.position();
    assert!(end <= bytes.len());
    let mut again = Writer::default();
    let copied = copy(&mut Reader::new(bytes), &mut again, 0);
    assert_eq!(copied.is_ok(), skipped.is_ok(), "what is passed over is checked as what is read");
    match skipped {
        Ok(place) => {
            assert_eq!(place, 0..end);
            assert_eq!(again.finish(), bytes[..end]);
            assert_eq!(reader.finish().is_ok(), end == bytes.len());
        }
        Err(Malformed { at, why }) => assert!(at <= bytes.len() && !why.is_empty()),
    }
}

fn copy(reader: &mut Reader<'_>, writer: &mut Writer, depth: usize) -> Result<(), Malformed> {
    assert!(depth <= DEPTH_MAX);
    match reader.kind()? {
        Kind::Integer => {
            let is_unsigned = reader.clone().unsigned().is_ok();
            let number: i128 = reader.integer()?.parse().expect("20 digits fit");
            assert_eq!(is_unsigned, u64::try_from(number).is_ok());
            writer.integer(number);
        }
        Kind::String => drop(writer.string(reader.string()?).length()),
        Kind::List => {
            writer.list();
            reader.list(|reader| copy(reader, writer, depth + 1))?;
            writer.end();
        }
        Kind::Dictionary => {
            writer.dictionary();
            reader.dictionary(|key, reader| {
                writer.string(key);
                copy(reader, writer, depth + 1)
            })?;
            writer.end();
        }
    }
    Ok(())
}
