//! A journal says what was noted in it, or less: never more, however it was cut, changed, mixed up or followed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::record::*;
use super::*;
use crate::content::metainfo::FileEntry;
use crate::content::{Geometry, Name, TreePath, merkle};
use crate::ids::ShareId;
use crate::net::content::beneath::Beneath;
use crate::net::content::stamp::Stamp;

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

fn told_by(text: &[u8]) -> Told {
    Told::read(text, SHARE, &geometry())
}

proptest! {
    #[test]
    fn what_was_noted_is_told(entries in vec(entry(), 0..12), closes: bool) {
        let (text, after) = written(&entries, closes);
        let told = told_by(text.as_bytes());
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
        let told = told_by(cut);
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
        let told = told_by(&bytes);
        prop_assert!(!told.is_clean && told.marks.is_empty());
        prop_assert!(told.kept == set(&[]) || after.contains(&told.kept));
    }

    #[test]
    fn garbage_is_no_journal(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(told_by(&bytes), Told::nothing(&geometry()));
    }

    #[test]
    fn what_follows_the_end_takes_its_word_away(entries in vec(entry(), 0..4), more in vec(any::<u8>(), 1..60)) {
        let (mut text, _) = written(&entries, true);
        text.push_str(&String::from_utf8_lossy(&more));
        prop_assert!(!told_by(text.as_bytes()).is_clean);
    }
}

#[test]
fn one_of_another_share_or_version_says_nothing() {
    let (text, _) = written(&[Entry::Kept(vec![1, 2])], true);
    assert!(told_by(text.as_bytes()).is_clean);
    let told = Told::read(text.as_bytes(), ShareId([8; 32]), &geometry());
    assert_eq!(told, Told::nothing(&geometry()));
    let newer = text.replacen("journal 1", "journal 2", 1);
    assert_eq!(told_by(newer.as_bytes()), Told::nothing(&geometry()));
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
        let told = told_by(text.as_bytes());
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

/// A file of so many pieces that are all alike, and the room of its download.
fn scene(pieces: u32) -> (tempfile::TempDir, Room, Metainfo) {
    let name = Name::new(b"share").unwrap();
    let file = FileEntry {
        path: TreePath(vec![name.clone()]),
        length: u64::from(pieces) * 16 * 1024,
        executable: false,
    };
    let hashes = vec![merkle::leaf(&[0; 16 * 1024]); pieces as usize];
    let metainfo = Metainfo::describe(&name, 16 * 1024, true, vec![file], hashes, Vec::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let room = Room::enter(&Beneath::open(folder.path()).unwrap(), metainfo.share()).unwrap();
    (folder, room, metainfo)
}

#[test]
fn a_journal_takes_as_much_as_will_be_read_and_no_more() {
    let (_folder, room, metainfo) = scene(PIECES);
    let length = || room.dir().metadata(JOURNAL).unwrap().len();
    let mut journal = Journal::begin(&room, &metainfo, &set(&[1])).unwrap();
    let begun = length();
    journal.add(&room, &set(&[]), &set(&[2])).unwrap();
    assert_eq!(journal.bytes, length());
    journal.bytes = JOURNAL_BYTES_MAX - (length() - begun); // as if there were so many before
    journal.add(&room, &set(&[]), &set(&[3])).unwrap();
    let full = journal.add(&room, &set(&[]), &set(&[4]));
    assert_eq!(full.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(read(&room, &metainfo).kept, set(&[1, 2, 3]));
}

#[test]
fn a_long_journal_is_read_to_its_end() {
    let pieces = 5_000;
    let (_folder, room, metainfo) = scene(pieces);
    let (none, mut odd) = (PieceSet::empty(pieces), PieceSet::empty(pieces));
    metainfo.geometry().pieces().filter(|piece| piece.get() % 2 == 1).for_each(|piece| _ = odd.insert(piece));
    let mut journal = Journal::begin(&room, &metainfo, &none).unwrap();
    while journal.bytes < 1 << 21 {
        journal.add(&room, &odd, &none).unwrap();
        journal.add(&room, &none, &odd).unwrap();
    }
    assert_eq!(read(&room, &metainfo).kept, odd);
}

#[test]
fn the_looks_of_so_many_files_are_noted_and_of_more_none() {
    let (_folder, room, metainfo) = scene(PIECES);
    let look = (files()[0], Whereabouts::Making, mark(3));
    for (count, is_clean) in [(MARKS_MAX, true), (MARKS_MAX + 1, false)] {
        let journal = Journal::begin(&room, &metainfo, &set(&[])).unwrap();
        journal.close(&room, &vec![look; count]).unwrap();
        assert_eq!(read(&room, &metainfo).is_clean, is_clean, "{count}");
    }
}
