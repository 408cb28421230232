//! A sheet is what was written or nothing: whole, cut, changed, or made by somebody with a right checksum.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const PIECE_BYTES: u64 = 16 * 1024;

/// Path, mark, pieces.
type Noted = (Vec<u8>, Mark, Vec<Digest>);

fn note() -> impl Strategy<Value = Noted> {
    let times = any::<((i64, i64), (i64, i64))>();
    let file = (vec(any::<u8>(), 0..40), 0..4 * PIECE_BYTES, times, any::<(u64, u64)>(), any::<[u8; 32]>());
    file.prop_map(|(path, bytes, (written, changed), identity, piece)| {
        let mark = Mark { stamp: Stamp { bytes, written, identity }, changed };
        let pieces = usize::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap();
        (path, mark, vec![Digest(piece); pieces])
    })
}

fn notes() -> impl Strategy<Value = Vec<Noted>> {
    vec(note(), 0..6)
}

fn head(piece_bytes: u32) -> Head<'static> {
    Head { boot: Digest([3; 32]), hashed_at: -5, piece_bytes, root: b"/home/photos" }
}

fn encode<'a>(notes: impl IntoIterator<Item = &'a Noted>) -> Vec<u8> {
    let mut draft = Draft::new(Vec::new(), &head(PIECE_BYTES.try_into().unwrap())).unwrap();
    for (path, mark, pieces) in notes {
        draft.note(path, mark, pieces.iter().copied()).unwrap();
    }
    draft.finish().unwrap()
}

fn decode(bytes: &[u8]) -> Option<(Head<'_>, Vec<Noted>)> {
    let Sheet { head, notes } = Sheet::decode(bytes)?;
    let owned =
        |note: Note<'_>| (note.path.to_vec(), note.mark, note.pieces.iter().copied().map(Digest).collect());
    Some((head, notes.map(owned).collect()))
}

proptest! {
    #[test]
    fn a_sheet_is_read_as_it_was_written(notes in notes()) {
        let bytes = encode(&notes);
        prop_assert_eq!(decode(&bytes), Some((head(PIECE_BYTES.try_into().unwrap()), notes)));
    }

    #[test]
    fn a_sheet_that_was_cut_or_changed_is_not_believed(
        notes in notes(), at in any::<prop::sample::Index>(), bit in 0..8
    ) {
        let mut bytes = encode(&notes);
        let at = at.index(bytes.len());
        prop_assert_eq!(decode(&bytes[..at]), None);
        bytes[at] ^= 1_u8 << bit;
        prop_assert_eq!(decode(&bytes), None);
    }

    #[test]
    fn what_bears_a_right_checksum_is_read_for_what_it_is_or_not_at_all(
        notes in notes(), changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)
    ) {
        let mut bytes = encode(&notes);
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        if let Some((head, notes)) = decode(&bytes) {
            let mut again = Draft::new(Vec::new(), &head).unwrap();
            for (path, mark, pieces) in &notes {
                again.note(path, mark, pieces.iter().copied()).unwrap();
            }
            prop_assert_eq!(again.finish().unwrap(), bytes);
        }
    }
}

#[test]
fn a_size_that_would_take_more_pieces_than_there_are_is_not_believed() {
    let mark = Mark { stamp: Stamp { bytes: u64::MAX, written: (0, 0), identity: (0, 0) }, changed: (0, 0) };
    for piece_bytes in [0, 1, 16 * 1024] {
        let mut draft = Draft::new(Vec::new(), &head(piece_bytes)).unwrap();
        draft.note(b"a", &mark, std::iter::empty()).unwrap();
        assert!(Sheet::decode(&draft.finish().unwrap()).is_none());
    }
}

#[test]
fn no_more_is_written_than_may_be_read() {
    let mark = Mark { stamp: Stamp { bytes: 0, written: (0, 0), identity: (0, 0) }, changed: (0, 0) };
    let (mut many_pieces, mut many_files) = (0, 0);
    let mut draft = Draft::new(Counting(&mut many_pieces), &head(1)).unwrap();
    let error = draft.note(b"a", &mark, std::iter::repeat(Digest::default())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    let mut draft = Draft::new(Counting(&mut many_files), &head(1)).unwrap();
    let deep = [b'a'; 4000];
    let error = (0..1_000_000).try_for_each(|_| draft.note(&deep, &mark, std::iter::empty())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    for written in [many_pieces, many_files] {
        assert!((SHEET_BYTES_MAX - 5000..=SHEET_BYTES_MAX).contains(&written), "{written}");
    }
}

/// Counts what is written.
struct Counting<'a>(&'a mut usize);

impl Write for Counting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
