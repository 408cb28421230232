//! The bencode reader takes exactly the canonical form, whatever it is given.

use minibit::content::bencode::{DEPTH_MAX, Kind, Malformed, Reader, Writer};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Any value, as a test holds it.
#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Integer(i64),
    String(Vec<u8>),
    List(Vec<Tree>),
    Dictionary(BTreeMap<Vec<u8>, Tree>),
}

fn write(tree: &Tree, writer: &mut Writer) {
    match tree {
        Tree::Integer(number) => drop(writer.integer(i128::from(*number)).length()),
        Tree::String(bytes) => drop(writer.string(bytes).length()),
        Tree::List(items) => {
            writer.list();
            items.iter().for_each(|item| write(item, writer));
            writer.end();
        }
        Tree::Dictionary(entries) => {
            writer.dictionary();
            for (key, value) in entries {
                writer.string(key);
                write(value, writer);
            }
            writer.end();
        }
    }
}

fn written(tree: &Tree) -> Vec<u8> {
    let mut writer = Writer::default();
    write(tree, &mut writer);
    writer.finish()
}

fn read_value(reader: &mut Reader<'_>) -> Result<Tree, Malformed> {
    Ok(match reader.kind()? {
        Kind::Integer => {
            let too_large = reader.malformed("larger than this test holds");
            Tree::Integer(reader.integer()?.parse().map_err(|_| too_large)?)
        }
        Kind::String => Tree::String(reader.string()?.to_vec()),
        Kind::List => {
            let mut items = Vec::new();
            reader.list(|reader| {
                items.push(read_value(reader)?);
                Ok::<_, Malformed>(())
            })?;
            Tree::List(items)
        }
        Kind::Dictionary => {
            let mut entries = BTreeMap::new();
            reader.dictionary(|key, reader| {
                entries.insert(key.to_vec(), read_value(reader)?);
                Ok::<_, Malformed>(())
            })?;
            Tree::Dictionary(entries)
        }
    })
}

fn read(bytes: &[u8]) -> Result<Tree, Malformed> {
    let mut reader = Reader::new(bytes);
    let tree = read_value(&mut reader)?;
    reader.finish()?;
    Ok(tree)
}

fn checks(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    reader.skip().is_ok_and(|place| place == (0..bytes.len())) && reader.finish().is_ok()
}

fn trees() -> impl Strategy<Value = Tree> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![any::<i64>().prop_map(Tree::Integer), bytes().prop_map(Tree::String)];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::List),
            prop::collection::btree_map(bytes(), inner, 0..6).prop_map(Tree::Dictionary),
        ]
    })
}

#[test]
fn one_spelling_of_each_value_is_read() {
    for good in
        ["i0e", "i-1e", "i18446744073709551615e", "0:", "3:abc", "le", "de", "d0:i1e1:ale2:aad1:bi2eee"]
    {
        assert!(checks(good.as_bytes()), "{good}");
    }
}

#[test]
fn every_other_spelling_is_refused() {
    let bad = [
        "",
        "i",
        "ie",
        "i-e",
        "i-0e",
        "i00e",
        "i01e",
        "i-01e",
        "i+1e",
        "i 1e",
        "i1",
        "i1.0e",
        "i184467440737095516150e",
        "-1:",
        "01:a",
        "1:",
        "4:abc",
        "1",
        "18446744073709551616:a",
        "l",
        "li1e",
        "d",
        "d1:a",
        "d1:ae",
        "di1ei2ee",
        "d1:bi1e1:ai1ee",
        "d1:ai1e1:ai2ee",
        "d2:aai1e1:bi1e1:ai1ee",
        "i1ei2e",
        "lee",
        "x",
        "e",
        "i1e ",
        " i1e",
        "3:abcd",
    ];
    for bad in bad {
        assert!(!checks(bad.as_bytes()), "{bad}");
        assert!(read(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn values_stand_in_one_another_up_to_the_limit() {
    let nested = |open: &str, levels: usize| [open.repeat(levels), "e".repeat(levels)].concat();
    assert!(checks(nested("l", DEPTH_MAX).as_bytes()));
    assert!(!checks(nested("l", DEPTH_MAX + 1).as_bytes()));
    assert!(!checks("l".repeat(10_000_000).as_bytes()));
    assert!(!checks("d0:".repeat(10_000_000).as_bytes()));
}

#[test]
fn only_numbers_from_0_up_are_unsigned() {
    assert_eq!(Reader::new(b"i18446744073709551615e").unsigned(), Ok(u64::MAX));
    for bad in ["i-1e", "i18446744073709551616e", "1:1"] {
        assert!(Reader::new(bad.as_bytes()).unsigned().is_err(), "{bad}");
    }
}

#[test]
fn an_error_says_where() {
    let error = read(b"d1:ai1e1:bi02ee").unwrap_err();
    assert_eq!(error.to_string(), "at byte 11: a number has a leading zero");
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(tree in trees()) {
        let bytes = written(&tree);
        prop_assert!(checks(&bytes));
        prop_assert_eq!(read(&bytes), Ok(tree));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text: Vec<u8> = bytes.iter().map(|byte| b"ilde0123456789:-a"[*byte as usize % 17]).collect();
        for bytes in [bytes, text] {
            prop_assert!(!checks(&bytes) || read(&bytes).is_ok());
        }
    }

    #[test]
    fn what_is_changed_is_refused_or_still_canonical(tree in trees(), at: prop::sample::Index, byte: u8) {
        let mut bytes = written(&tree);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(tree) = read(&bytes) {
            prop_assert_eq!(written(&tree), bytes);
        }
    }
}
