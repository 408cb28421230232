//! A journal says what was noted in it, or less: never more, however it was cut, changed, mixed up or followed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::record::*;
use crate::content::{FileIndex, Geometry, PieceSet};
use crate::ids::ShareId;
use crate::net::content::stamp::{Mark, Stamp};

const PIECES: u32 = 40;
const SHARE: ShareId = ShareId([7; 32]);

/// Two files: of 30 pieces and of 10.
fn geometry() -> Geometry {
    Geometry::new(16 * 1024, &[30 * 16 * 1024, 10 * 16 * 1024]).unwrap()
}

fn set(pieces: &[u32]) -> PieceSet {
    let mut set = PieceSet::empty(PIECES);
    pieces.iter().for_each(|piece| _ = set.insert(geometry().piece(u64::from(*piece)).unwrap()));
    set
}

#[derive(Clone, Debug)]
enum Entry {
    Kept(Vec<u32>),
    Lost(Vec<u32>),
}

fn entry() -> impl Strategy<Value = Entry> {
    let pieces = || vec(0..PIECES, 0..8);
    prop_oneof![3 => pieces().prop_map(Entry::Kept), 1 => pieces().prop_map(Entry::Lost)]
}

fn mark(number: u64) -> Mark {
    let stamp = Stamp { bytes: number, written: (number as i64, -5), identity: (number, 9) };
    Mark { stamp, changed: (i64::MIN, i64::MAX) }
}

fn files() -> Vec<FileIndex> {
    geometry().files().collect()
}

/// The text, and what is kept after each of its lines but the first two.
fn written(entries: &[Entry], closes: bool) -> (String, Vec<PieceSet>) {
    let (mut draft, mut text) = Draft::begin(SHARE);
    let (mut kept, mut after) = (set(&[]), Vec::new());
    for entry in entries {
        let line = match entry {
            Entry::Kept(pieces) => {
                set(pieces).iter().for_each(|piece| _ = kept.insert(piece));
                draft.kept(&set(pieces))
            }
            Entry::Lost(pieces) => {
                set(pieces).iter().for_each(|piece| _ = kept.remove(piece));
                draft.lost(&set(pieces))
            }
        };
        if !line.is_empty() {
            text += &line;
            after.push(kept.clone());
        }
    }
    if closes {
        text += &draft.mark(files()[0], Whereabouts::Making, &mark(3));
        text += &draft.mark(files()[1], Whereabouts::Standing, &mark(u64::MAX >> 1));
        text += &draft.closed();
    }
    (text, after)
}

fn read(text: &[u8]) -> Told {
    Told::read(text, SHARE, &geometry())
}

proptest! {
    #[test]
    fn what_was_noted_is_told(entries in vec(entry(), 0..12), closes: bool) {
        let (text, after) = written(&entries, closes);
        let told = read(text.as_bytes());
        prop_assert_eq!(told.kept.clone(), after.last().cloned().unwrap_or(set(&[])));
        prop_assert_eq!(told.is_clean, closes);
        prop_assert_eq!(told.marks.len(), if closes { 2 } else { 0 });
        if closes {
            prop_assert_eq!(told.marks[&files()[0]], (Whereabouts::Making, mark(3)));
            prop_assert_eq!(told.marks[&files()[1]], (Whereabouts::Standing, mark(u64::MAX >> 1)));
        }
    }

    #[test]
    fn one_that_is_cut_tells_what_its_whole_lines_say(entries in vec(entry(), 0..12), at: prop::sample::Index) {
        let (text, after) = written(&entries, true);
        let cut = &text.as_bytes()[..at.index(text.len())];
        let told = read(cut);
        prop_assert!(!told.is_clean && told.marks.is_empty());
        let lines = cut.iter().filter(|byte| **byte == b'\n').count();
        let of_pieces = lines.saturating_sub(2).min(after.len());
        let expected = of_pieces.checked_sub(1).map_or(set(&[]), |last| after[last].clone());
        prop_assert_eq!(told.kept, expected);
    }

    #[test]
    fn one_changed_bit_ends_it_before_its_line(
        entries in vec(entry(), 1..12), at: prop::sample::Index, bit in 0..8_u32
    ) {
        let (text, after) = written(&entries, true);
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let told = read(&bytes);
        prop_assert!(!told.is_clean && told.marks.is_empty());
        prop_assert!(told.kept == set(&[]) || after.contains(&told.kept));
    }

    #[test]
    fn garbage_is_no_journal(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(read(&bytes), Told::nothing(&geometry()));
    }

    #[test]
    fn what_follows_the_end_takes_its_word_away(entries in vec(entry(), 0..4), more in vec(any::<u8>(), 1..60)) {
        let (mut text, _) = written(&entries, true);
        text.push_str(&String::from_utf8_lossy(&more));
        prop_assert!(!read(text.as_bytes()).is_clean);
    }
}

#[test]
fn one_of_another_share_or_version_says_nothing() {
    let (text, _) = written(&[Entry::Kept(vec![1, 2])], true);
    assert!(read(text.as_bytes()).is_clean);
    let told = Told::read(text.as_bytes(), ShareId([8; 32]), &geometry());
    assert_eq!(told, Told::nothing(&geometry()));
    let newer = text.replacen("journal 1", "journal 2", 1);
    assert_eq!(read(newer.as_bytes()), Told::nothing(&geometry()));
}

#[test]
fn pieces_past_the_end_runs_backwards_and_unknown_words_end_it() {
    for body in [
        "kept 0-40",
        "kept 5-4",
        "kept 3-4 4-5",
        "kept",
        "kept 1",
        "kept 1-2 ",
        "sold 1-2",
        "making 2 1 1 1 1 1 1 1",
    ] {
        let (mut draft, mut text) = Draft::begin(SHARE);
        text += &draft.kept(&set(&[9]));
        text += &draft.line(body);
        text += &draft.closed();
        let told = read(text.as_bytes());
        assert!(!told.is_clean && told.kept == set(&[9]), "{body}");
    }
}

#[test]
fn runs_beyond_a_thousand_go_on_in_another_line() {
    let geometry = Geometry::new(16 * 1024, &[5_000 * 16 * 1024]).unwrap();
    let mut odd = PieceSet::empty(5_000);
    geometry.pieces().filter(|piece| piece.get() % 2 == 1).for_each(|piece| _ = odd.insert(piece));
    let (mut draft, mut text) = Draft::begin(SHARE);
    text += &draft.kept(&odd);
    assert_eq!(text.lines().count(), 2 + 3);
    assert_eq!(Told::read(text.as_bytes(), SHARE, &geometry).kept, odd);
}
