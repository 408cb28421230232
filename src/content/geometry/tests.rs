//! Tables of telling lengths, and properties over any lengths.

use proptest::prelude::*;

use super::*;

const LEAF: u64 = LEAF_BYTES as u64;
const PIECE: u64 = 4 * LEAF;

fn cut(lengths: &[u64]) -> Geometry {
    Geometry::new(PIECE, lengths).unwrap()
}

#[test]
fn telling_lengths_have_the_pieces_and_leaves_that_bep_52_says() {
    // length, pieces, bytes of the last, its leaves, its leaves with padding
    let table = [
        (1, 1, 1, 1, 1),
        (LEAF - 1, 1, LEAF - 1, 1, 1),
        (LEAF, 1, LEAF, 1, 1),
        (LEAF + 1, 1, LEAF + 1, 2, 2),
        (2 * LEAF + 1, 1, 2 * LEAF + 1, 3, 4),
        (PIECE - 1, 1, PIECE - 1, 4, 4),
        (PIECE, 1, PIECE, 4, 4),
        (PIECE + 1, 2, 1, 1, 4),
        (1000 * PIECE + LEAF + 1, 1001, LEAF + 1, 2, 4),
    ];
    for (length, pieces, last_bytes, leaves, padded) in table {
        let geometry = cut(&[length]);
        let last = geometry.pieces().last().unwrap();
        assert_eq!(u64::from(geometry.piece_count()), pieces, "{length}");
        assert_eq!(u64::from(geometry.length(last)), last_bytes, "{length}");
        assert_eq!(geometry.leaf_count(last), leaves, "{length}");
        assert_eq!(geometry.padded_leaf_count(last), padded, "{length}");
    }
}

#[test]
fn every_file_begins_a_piece_and_an_empty_one_has_none() {
    let geometry = cut(&[0, PIECE + 1, 0, 0, 5, 0]);
    let places: Vec<_> = geometry.pieces().map(|p| geometry.place(p)).collect();
    assert_eq!(places, [(FileIndex(1), 0), (FileIndex(1), PIECE), (FileIndex(4), 0)]);
    let pieces_by_file: Vec<Vec<u32>> =
        geometry.files().map(|f| geometry.pieces_of(f).map(PieceIndex::get).collect()).collect();
    assert_eq!(pieces_by_file, [vec![], vec![0, 1], vec![], vec![], vec![2], vec![]]);
    assert_eq!(geometry.total_bytes(), PIECE + 6);
}

#[test]
fn a_share_of_nothing_has_no_piece() {
    for lengths in [&[][..], &[0, 0]] {
        let geometry = cut(lengths);
        assert_eq!((geometry.piece_count(), geometry.total_bytes()), (0, 0));
        assert_eq!(geometry.file_count(), lengths.len());
        assert_eq!(geometry.piece(0), Err(OutOfShare::Piece { index: 0, count: 0 }));
        assert_eq!(geometry.pieces().count(), 0);
    }
}

#[test]
fn only_powers_of_two_from_16_kib_to_16_mib_are_piece_lengths() {
    for bad in [0, 1, LEAF - 1, LEAF / 2, LEAF + 1, 3 * LEAF, 1 << 25, 1 << 32, u64::MAX] {
        assert_eq!(Geometry::new(bad, &[1]), Err(BadGeometry::PieceLength(bad)));
    }
    for shift in 14..=24 {
        assert_eq!(Geometry::new(1 << shift, &[1]).unwrap().piece_bytes(), 1 << shift);
    }
}

#[test]
fn lengths_past_the_limits_are_refused() {
    let most = u64::from(PIECES_MAX) * LEAF;
    assert_eq!(Geometry::new(LEAF, &[most]).unwrap().piece_count(), PIECES_MAX);
    assert_eq!(Geometry::new(LEAF, &[most, 1]), Err(BadGeometry::TooManyPieces));
    assert_eq!(Geometry::new(LEAF, &[most + 1]), Err(BadGeometry::TooManyPieces));
    assert_eq!(Geometry::new(LEAF, &[1 << 63]), Err(BadGeometry::TooManyPieces));
    assert_eq!(Geometry::new(LEAF, &[u64::MAX]), Err(BadGeometry::TooLarge));
    assert_eq!(Geometry::new(LEAF, &[u64::MAX, 1]), Err(BadGeometry::TooLarge));
    let files = vec![0; FILES_MAX as usize + 1];
    assert_eq!(Geometry::new(LEAF, &files), Err(BadGeometry::TooManyFiles));
    assert_eq!(Geometry::new(LEAF, &files[1..]).unwrap().file_count(), FILES_MAX as usize);
}

#[test]
fn content_of_four_times_the_size_gets_twice_the_pieces_of_twice_the_length() {
    for (total, bytes) in [(0, LEAF), (1, LEAF), (8 << 20, LEAF), ((8 << 20) + 4096, 2 * LEAF)] {
        assert_eq!(u64::from(Geometry::chosen_piece_bytes(total)), bytes, "{total}");
    }
    for (shift, leaves, pieces) in [(26, 4, 1 << 10), (28, 8, 1 << 11), (30, 16, 1 << 12), (36, 128, 1 << 15)]
    {
        assert_eq!(u64::from(Geometry::chosen_piece_bytes(1 << shift)), leaves * LEAF);
        assert_eq!((1u64 << shift) / (leaves * LEAF), pieces);
    }
    assert_eq!(Geometry::chosen_piece_bytes(1 << 44), PIECE_BYTES_MAX);
    assert_eq!(Geometry::chosen_piece_bytes(u64::MAX), PIECE_BYTES_MAX);
}

#[test]
fn a_request_is_some_whole_leaves_of_one_piece() {
    let geometry = Geometry::new(2 << 20, &[(2 << 20) + 3 * LEAF + 5]).unwrap();
    let mib = u64::from(BLOCK_BYTES_MAX);
    let allowed =
        [(0, 0, LEAF), (0, mib, mib), (0, LEAF, mib), (1, 3 * LEAF, 5), (1, 0, 3 * LEAF + 5), (1, 0, LEAF)];
    for (piece, start, length) in allowed {
        let block = geometry.block(piece, start, length).unwrap();
        assert_eq!(
            (u64::from(block.piece.get()), u64::from(block.start), u64::from(block.length)),
            (piece, start, length)
        );
    }
    let refused = [
        (0, 0, 0),
        (0, 0, 1),
        (0, 1, LEAF),
        (0, 0, mib + LEAF),
        (0, 2 * mib, LEAF),
        (0, 2 * mib - LEAF, 2 * LEAF),
        (1, 3 * LEAF, 6),
        (1, 3 * LEAF, 4),
        (1, 3 * LEAF, LEAF),
        (1, 4 * LEAF, LEAF),
        (2, 0, LEAF),
        (0, u64::MAX - LEAF + 1, LEAF),
        (0, 0, u64::MAX),
        (0, 1 << 32, LEAF),
        (1 << 32, 0, LEAF),
    ];
    for (piece, start, length) in refused {
        assert!(geometry.block(piece, start, length).is_err(), "{piece} {start} {length}");
    }
}

#[test]
fn a_block_covers_the_leaves_it_touches() {
    let geometry = cut(&[3 * LEAF + 1]);
    assert_eq!(geometry.block(0, LEAF, 2 * LEAF).unwrap().leaves(), 1..3);
    assert_eq!(geometry.block(0, 3 * LEAF, 1).unwrap().leaves(), 3..4);
}

proptest! {
    #[test]
    fn pieces_cover_every_file_exactly_once(
        lengths in prop::collection::vec(prop_oneof![Just(0), 0..3 * PIECE], 0..20),
    ) {
        let geometry = cut(&lengths);
        let mut covered = vec![0; lengths.len()];
        for piece in geometry.pieces() {
            let (file, start) = geometry.place(piece);
            prop_assert_eq!(start, covered[file.index()]);
            prop_assert!(geometry.length(piece) > 0);
            covered[file.index()] += u64::from(geometry.length(piece));
        }
        prop_assert_eq!(&covered, &lengths);
        let by_file: Vec<_> = geometry.files().flat_map(|f| geometry.pieces_of(f)).collect();
        prop_assert_eq!(by_file, geometry.pieces().collect::<Vec<_>>());
    }

    #[test]
    fn a_block_that_is_made_lies_inside_its_piece(piece: u64, start: u64, length: u64) {
        let geometry = cut(&[5 * PIECE + 7]);
        let small = (piece % 8, start % (2 * PIECE), length % (2 * PIECE));
        for (piece, start, length) in [(piece, start, length), small] {
            if let Ok(block) = geometry.block(piece, start, length) {
                prop_assert!(block.start + block.length <= geometry.length(block.piece));
                prop_assert!(block.leaves().end <= geometry.leaf_count(block.piece));
                prop_assert!(!block.leaves().is_empty());
            }
        }
    }
}
