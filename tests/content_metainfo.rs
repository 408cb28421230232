//! Metainfo: what is described is read back; what is not a share is refused, and nothing makes the reader panic.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a failed test may panic")]

use minibit::content::bencode::Writer;
use minibit::content::metainfo::{FileEntry, MetainfoError};
use minibit::content::{LEAF_BYTES, Metainfo, Name, TreePath, merkle};
use minibit::ids::{Digest, Endpoint};
use proptest::prelude::*;

const LEAF: u64 = LEAF_BYTES as u64;
const PIECE: u64 = 4 * LEAF;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn path(text: &str) -> TreePath {
    TreePath(text.split('/').map(name).collect())
}

/// A file and the hashes of its pieces.
#[derive(Clone, Debug)]
struct Draft {
    path: TreePath,
    length: u64,
    executable: bool,
    pieces: Vec<Digest>,
}

/// A file of as many invented pieces as it needs.
fn draft(at: &str, length: u64) -> Draft {
    let hash = |number: u64| merkle::leaf(format!("{length} {number}").as_bytes());
    let pieces = (0..length.div_ceil(PIECE)).map(hash).collect();
    Draft { path: path(at), length, executable: false, pieces }
}

fn folder(files: Vec<Draft>, empty_folders: &[&str]) -> Result<Metainfo, MetainfoError> {
    describe("share", false, files, empty_folders)
}

fn describe(
    share: &str,
    single: bool,
    files: Vec<Draft>,
    empty_folders: &[&str],
) -> Result<Metainfo, MetainfoError> {
    let hashes = files.iter().flat_map(|file| file.pieces.clone()).collect();
    let entry = |Draft { path, length, executable, .. }| FileEntry { path, length, executable };
    let files = files.into_iter().map(entry).collect();
    let empty_folders = empty_folders.iter().map(|text| path(text)).collect();
    Metainfo::describe(&name(share), PIECE as u32, single, files, hashes, empty_folders)
}

fn paths(metainfo: &Metainfo) -> Vec<String> {
    metainfo.files().iter().map(|file| file.path.to_string()).collect()
}

/// A metainfo with this file tree, written by hand.
fn with_tree(tree: &[u8]) -> Vec<u8> {
    with_info(&[b"d9:file tree", tree, b"12:meta versioni2e4:name5:share12:piece lengthi65536ee"].concat())
}

fn with_info(info: &[u8]) -> Vec<u8> {
    [b"d4:info", info, b"12:piece layersdee"].concat()
}

fn refused(bytes: &[u8]) -> String {
    Metainfo::parse(bytes).unwrap_err().to_string()
}

const EMPTY_FILE: &[u8] = b"d0:d6:lengthi0eee";

#[test]
fn a_described_folder_is_read_back_the_same() {
    let mut script = draft("bin/run", 5);
    script.executable = true;
    let files = vec![
        draft("z", 3 * PIECE),
        script,
        draft("a b", 0),
        draft("bin.d/x", PIECE),
        draft("bin/é", PIECE + 1),
    ];
    let metainfo = folder(files, &["empty", "bin/none"]).unwrap();
    assert_eq!(paths(&metainfo), ["a b", "bin/run", "bin/é", "bin.d/x", "z"], "in the order of the tree");
    let folders: Vec<_> = metainfo.empty_folders().iter().map(TreePath::to_string).collect();
    assert_eq!(folders, ["bin/none", "empty"]);
    let executable: Vec<bool> = metainfo.files().iter().map(|file| file.executable).collect();
    assert_eq!(executable, [false, true, false, false, false]);
    assert_eq!(metainfo.geometry().piece_count(), 7);
    assert!(!metainfo.is_single_file());
    assert_eq!(Metainfo::parse(metainfo.served_bytes()), Ok(metainfo));
}

#[test]
fn every_piece_has_the_hash_it_was_described_with() {
    let files = vec![
        draft("a", PIECE - 1),
        draft("b", 0),
        draft("c", 5 * PIECE),
        draft("d", PIECE + 1),
        draft("e", PIECE),
    ];
    let hashes: Vec<Digest> = files.iter().flat_map(|file| file.pieces.clone()).collect();
    let metainfo = folder(files, &[]).unwrap();
    let found: Vec<Digest> = metainfo.geometry().pieces().map(|piece| metainfo.piece_hash(piece)).collect();
    assert_eq!(found, hashes);
}

#[test]
fn files_of_equal_content_share_one_layer() {
    let once = folder(vec![draft("a", 9 * PIECE)], &[]).unwrap();
    let twice = folder(vec![draft("a", 9 * PIECE), draft("b", 9 * PIECE)], &[]).unwrap();
    assert!(twice.served_bytes().len() < once.served_bytes().len() + 9 * 32);
    let hashes: Vec<Digest> = twice.geometry().pieces().map(|piece| twice.piece_hash(piece)).collect();
    assert_eq!(hashes[..9], hashes[9..]);
}

#[test]
fn shares_of_nothing_are_shares() {
    let shares = [
        folder(vec![], &[]).unwrap(),
        folder(vec![], &["a", "b/c"]).unwrap(),
        folder(vec![draft("a", 0), draft("b", 0)], &[]).unwrap(),
        describe("a", true, vec![draft("a", 0)], &[]).unwrap(),
    ];
    for metainfo in shares {
        assert_eq!(metainfo.geometry().total_bytes(), 0);
        assert_eq!(metainfo.geometry().piece_count(), 0);
        assert_eq!(Metainfo::parse(metainfo.served_bytes()), Ok(metainfo));
    }
}

#[test]
fn a_single_file_is_the_one_entry_that_bears_the_shares_name() {
    let single = describe("film", true, vec![draft("film", PIECE)], &[]).unwrap();
    assert!(single.is_single_file());
    let other = describe("film", false, vec![draft("movie", PIECE)], &[]).unwrap();
    assert!(!other.is_single_file());
    let ambiguous = describe("film", false, vec![draft("film", PIECE)], &[]);
    assert!(ambiguous.unwrap_err().to_string().contains("rename one of them"));
    let not_one = describe("film", true, vec![draft("movie", PIECE)], &[]);
    assert!(not_one.is_err());
}

#[test]
fn a_name_twice_or_both_file_and_folder_cannot_be_described() {
    for files in [vec!["a", "a"], vec!["a", "a/b"], vec!["x/a/b/c", "x/a"]] {
        let error = folder(files.into_iter().map(|at| draft(at, 1)).collect(), &[]).unwrap_err();
        assert!(error.to_string().contains("a' is there twice"), "{error}");
    }
    assert!(folder(vec![draft("a/b", 1)], &["a"]).is_err());
    assert!(folder(vec![], &["a", "a"]).is_err());
}

#[test]
fn a_metainfo_file_says_where_to_begin_and_nothing_else() {
    let metainfo = folder(vec![draft("a", 2 * PIECE)], &[]).unwrap();
    let endpoints: Vec<Endpoint> =
        ["host:7070", "[2001:db8::1]:1", "10.0.0.1:65535"].iter().map(|text| text.parse().unwrap()).collect();
    for count in 0..=3 {
        let file = metainfo.to_file(&endpoints[..count]);
        assert_eq!(file, metainfo.to_file(&endpoints[..count]), "reproducible");
        let read = Metainfo::parse(&file).unwrap();
        assert_eq!(read.endpoints(), &endpoints[..count]);
        assert_eq!((read.share(), read.served_bytes()), (metainfo.share(), metainfo.served_bytes()));
    }
    let text = String::from_utf8_lossy(&metainfo.to_file(&endpoints[..1])).into_owned();
    assert!(text.starts_with("d8:announce19:minibit://host:707010:created by7:minibit4:info"));
}

#[test]
fn keys_of_others_are_ignored_and_kept_out_of_what_is_served() {
    let plain = folder(vec![draft("a", 2 * PIECE)], &[]).unwrap();
    let served = plain.served_bytes();
    let extra: Vec<u8> = [
        &b"d8:announce21:http://tracker.test/a13:announce-listll20:udp://tracker.test:12:oke4:junke7:comment3:abc"[..],
        &served[1..served.len() - 2],
        b"32:\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff3:abce8:url-listle",
        b"e",
    ]
    .concat();
    let read = Metainfo::parse(&extra).unwrap();
    assert_eq!(read, plain);
}

#[test]
fn a_hybrid_is_read_for_its_v2_half_and_keeps_its_id() {
    let tree = [b"d1:a", EMPTY_FILE, b"e"].concat();
    let info = [
        b"d9:file tree",
        &tree[..],
        b"5:filesld4:attr1:p6:lengthi5e4:pathl4:.pad1:5eee12:meta versioni2e4:name5:share\
          12:piece lengthi65536e6:pieces20:aaaaaaaaaaaaaaaaaaaae",
    ]
    .concat();
    let hybrid = Metainfo::parse(&with_info(&info)).unwrap();
    assert_eq!(paths(&hybrid), ["a"]);
    assert_eq!(hybrid.share().0, merkle::leaf(&info).0, "the plain SHA-256 of the dictionary as found");
}

#[test]
fn only_v2_with_all_its_keys_is_read() {
    let keys = [
        ("9:file tree", "de"),
        ("12:meta version", "i2e"),
        ("4:name", "1:a"),
        ("12:piece length", "i16384e"),
    ];
    let info = |changed: usize, value: Option<&str>| {
        let entries = keys.iter().enumerate().map(|(at, (key, good))| match value {
            value if at == changed => value.map_or(String::new(), |value| format!("{key}{value}")),
            _ => format!("{key}{good}"),
        });
        with_info(format!("d{}e", entries.collect::<String>()).as_bytes())
    };
    assert!(Metainfo::parse(&info(0, Some("de"))).is_ok());
    for missing in 0..keys.len() {
        assert!(Metainfo::parse(&info(missing, None)).is_err());
    }
    assert!(refused(&info(1, None)).contains("v1"));
    for (key, bad) in [
        (0, "le"),
        (0, "d0:d6:lengthi0eee"),
        (1, "i1e"),
        (1, "i3e"),
        (1, "1:2"),
        (2, "0:"),
        (2, "2:.."),
        (2, "3:a/b"),
        (2, "i1e"),
        (3, "i0e"),
        (3, "i1e"),
        (3, "i-16384e"),
        (3, "i16385e"),
        (3, "i8192e"),
        (3, "i33554432e"),
        (3, "i4294967296e"),
        (3, "i18446744073709551615e"),
    ] {
        assert!(Metainfo::parse(&info(key, Some(bad))).is_err(), "{bad}");
    }
    for bad in [&b""[..], b"de", b"le", b"d4:infodee", b"d4:infoi1ee", b"<html>"] {
        assert!(Metainfo::parse(bad).is_err());
    }
    let whole = info(0, Some("de"));
    assert!(Metainfo::parse(&[&whole[..], b"\n"].concat()).is_err(), "nothing may follow");
}

#[test]
fn names_that_may_not_be_are_refused_with_their_path() {
    let long = [b"256:", &[b'a'; 256][..]].concat();
    let names = [
        &b"0:"[..],
        b"2:C:",
        b"1:.",
        b"2:..",
        b"3:a/b",
        b"1:/",
        b"3:a\\b",
        b"3:a\0b",
        b"7:\\\\?\\C:\\",
        &long,
    ];
    for bad in names {
        let tree = [b"d4:goodd", bad, EMPTY_FILE, b"ee"].concat();
        let error = refused(&with_tree(&tree));
        let expected = if bad == b"0:" { "the file 'good'" } else { "'good/" };
        assert!(error.contains(expected), "{error}");
    }
    let fine = [&b"10:foo...bar"[..], b"5:..foo", b"3:nul", b"2:\xff\xfe", b"1:\n"];
    for good in fine {
        let name = &good[good.iter().position(|byte| *byte == b':').unwrap() + 1..];
        let tree = [format!("d{}:", name.len()).as_bytes(), name, EMPTY_FILE, b"e"].concat();
        assert_eq!(Metainfo::parse(&with_tree(&tree)).unwrap().files()[0].path.0[0].as_bytes(), name);
    }
}

#[test]
fn paths_may_be_a_hundred_deep_and_not_deeper() {
    let nested = |depth: usize| {
        let mut tree = b"d1:a".repeat(depth);
        tree.extend_from_slice(EMPTY_FILE);
        tree.extend("e".repeat(depth).bytes());
        with_tree(&tree)
    };
    let deepest = Metainfo::parse(&nested(100)).unwrap();
    assert_eq!(deepest.files()[0].path.0.len(), 100);
    assert_eq!(Metainfo::parse(deepest.served_bytes()), Ok(deepest));
    assert!(refused(&nested(101)).contains("100 components"));
    assert!(Metainfo::parse(&nested(10_000)).is_err());
    let too_deep = TreePath(vec![name("a"); 101]);
    assert!(Metainfo::describe(&name("s"), PIECE as u32, false, vec![], vec![], vec![too_deep]).is_err());
    let long = TreePath(vec![Name::new(&[b'a'; 255]).unwrap(); 17]);
    assert!(Metainfo::describe(&name("s"), PIECE as u32, false, vec![], vec![], vec![long]).is_err());
}

#[test]
fn paths_may_be_4096_bytes_long_and_not_longer() {
    let of = |lengths: &[usize]| {
        let opened = lengths.iter().map(|length| format!("d{length}:{}", "a".repeat(*length)));
        let tree = [opened.collect::<String>().as_bytes(), EMPTY_FILE, &vec![b'e'; lengths.len()]].concat();
        Metainfo::parse(&with_tree(&tree))
    };
    let of_last = |last: [usize; 2]| of(&[&[255; 15][..], &last].concat());
    assert_eq!(of_last([127, 128]).unwrap().files()[0].path.to_string().len(), 4096);
    for long in [of_last([128, 128]), of(&[255; 17]), of(&[255; 90])] {
        assert!(long.unwrap_err().to_string().contains("4096 bytes"));
    }
    assert!(of(&[255, 256]).unwrap_err().to_string().contains("longer than 255 bytes"));
}

#[test]
fn only_regular_files_are_in_a_tree() {
    let file = |properties: &str| with_tree(format!("d1:ad0:d{properties}eee").as_bytes());
    let root = format!("11:pieces root32:{}", "r".repeat(32));
    assert!(Metainfo::parse(&file(&format!("6:lengthi1e{root}"))).is_ok());
    assert!(
        Metainfo::parse(&file(&format!("4:attr2:hx6:lengthi1e5:otherle{root}"))).unwrap().files()[0]
            .executable
    );
    assert!(refused(&file("4:attr1:l6:lengthi0e12:symlink pathl1:be")).contains("symbolic link"));
    assert!(refused(&file("6:lengthi0e12:symlink pathl1:be")).contains("symbolic link"));
    let zero_hash = format!("6:lengthi1e11:pieces root32:{}", "\0".repeat(32));
    for bad in [
        "",
        "6:lengthi1e",
        &root,
        "6:lengthi-1e",
        "6:lengthi1e11:pieces root31:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr",
        &zero_hash,
    ] {
        assert!(Metainfo::parse(&file(bad)).is_err(), "{bad}");
    }
    let both = [b"d1:ad0:d6:lengthi0ee1:b", EMPTY_FILE, b"ee"].concat();
    assert!(refused(&with_tree(&both)).contains("both a file and a folder"));
    assert!(Metainfo::parse(&with_tree(b"d1:ai1ee")).is_err());
    assert!(Metainfo::parse(&with_tree(b"d1:ad0:leee")).is_err());
}

#[test]
fn lengths_that_add_up_to_too_much_are_refused() {
    let tree = |lengths: &[u64]| {
        let root = "r".repeat(32);
        let file = |(at, length)| {
            format!("1:{}d0:d6:lengthi{length}e11:pieces root32:{root}ee", (b'a' + at) as char)
        };
        with_tree(format!("d{}e", (0u8..).zip(lengths).map(file).collect::<String>()).as_bytes())
    };
    for lengths in [&[u64::MAX][..], &[u64::MAX, 1], &[1 << 63, 1 << 63], &[(1 << 37) + 1], &[1 << 37, 1]] {
        assert!(matches!(Metainfo::parse(&tree(lengths)), Err(MetainfoError::Geometry(_))), "{lengths:?}");
    }
    assert!(matches!(Metainfo::parse(&tree(&[PIECE + 1])), Err(MetainfoError::WrongLayer(_))));
}

#[test]
fn layers_that_are_missing_too_short_too_long_or_false_are_refused() {
    let metainfo = folder(vec![draft("a", 3 * PIECE)], &[]).unwrap();
    let good = metainfo.served_bytes();
    let cut = good.len() - (32 * 3 + 3 + 2);
    let (head, layer) = (&good[..cut], &good[cut + 3..good.len() - 2]);
    let with_layer = |layer: &[u8]| [head, format!("{}:", layer.len()).as_bytes(), layer, b"ee"].concat();
    assert_eq!(with_layer(layer), good);
    let padded = [layer, &[0; 32][..]].concat();
    let mut changed = layer.to_vec();
    changed[40] ^= 1;
    for bad in [&layer[..64], &layer[..95], b"", &padded, &changed] {
        assert_eq!(Metainfo::parse(&with_layer(bad)), Err(MetainfoError::WrongLayer("a".to_owned())));
    }
    let without = [&good[..good.len() - (32 * 3 + 3 + 32 + 3 + 2)], b"ee"].concat();
    assert_eq!(Metainfo::parse(&without), Err(MetainfoError::WrongLayer("a".to_owned())));
}

#[test]
fn the_one_layer_of_two_files_must_fit_both() {
    let metainfo = folder(vec![draft("a", 3 * PIECE), draft("b", 3 * PIECE)], &[]).unwrap();
    let text = metainfo.served_bytes();
    let length = format!("i{}e", 3 * PIECE);
    let at = text.windows(length.len()).position(|window| window == length.as_bytes()).unwrap();
    let mut longer = text.to_vec();
    longer.splice(at..at + length.len(), format!("i{}e", 3 * PIECE + 1).into_bytes());
    assert_eq!(Metainfo::parse(&longer), Err(MetainfoError::WrongLayer("a".to_owned())));
}

#[test]
fn more_files_than_the_limit_are_refused() {
    let tree = |count: usize| {
        let mut writer = Writer::default();
        writer.dictionary();
        for number in 0..count {
            writer.string(format!("{number:07}").as_bytes()).raw(EMPTY_FILE);
        }
        writer.end();
        with_tree(&writer.finish())
    };
    assert!(refused(&tree((1 << 20) + 1)).contains("files"));
    assert_eq!(Metainfo::parse(&vec![b'd'; (64 << 20) + 1]), Err(MetainfoError::TooLarge));
}

#[test]
fn paths_that_together_take_far_more_memory_than_the_metainfo_are_refused() {
    let mut tree = b"d1:a".repeat(99);
    tree.push(b'd');
    for number in 0..90_000 {
        tree.extend_from_slice(format!("7:{number:07}").as_bytes());
        tree.extend_from_slice(EMPTY_FILE);
    }
    tree.extend("e".repeat(100).bytes());
    assert!(refused(&with_tree(&tree)).contains("components"));
}

#[test]
fn it_is_shown_in_one_short_line() {
    let metainfo = folder(vec![draft("a", 3 * PIECE)], &[]).unwrap();
    assert!(format!("{metainfo:?}").len() < 120);
}

fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    let component = prop_oneof![Just("a"), Just("b"), Just("B"), Just("é"), Just("a.b"), Just("\u{202e}x")];
    let place = prop::collection::vec(component, 1..4).prop_map(|parts| parts.join("/"));
    let length = prop_oneof![Just(0), 1..PIECE, Just(PIECE), Just(PIECE + 1), Just(7 * PIECE)];
    let file = (place, length, any::<bool>()).prop_map(|(at, length, executable)| {
        let mut file = draft(&at, length);
        file.executable = executable;
        file
    });
    prop::collection::vec(file, 0..8)
}

proptest! {
    #[test]
    fn what_is_described_is_read_back(files in drafts()) {
        let mut wanted: Vec<_> = files.iter().map(|file| (file.path.clone(), file.length, file.executable)).collect();
        wanted.sort();
        if let Ok(metainfo) = folder(files, &["only/a", "folder"]) {
            let read = Metainfo::parse(metainfo.served_bytes()).unwrap();
            let found: Vec<_> =
                read.files().iter().map(|file| (file.path.clone(), file.length, file.executable)).collect();
            prop_assert_eq!(found, wanted);
            prop_assert_eq!(read, metainfo);
        }
    }

    #[test]
    fn what_is_changed_is_refused_or_another_share_or_the_same_one(
        files in drafts(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let Ok(metainfo) = folder(files, &["folder"]) else { return Ok(()) };
        let mut bytes = metainfo.served_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(read) = Metainfo::parse(&bytes) {
            prop_assert!(read.share() != metainfo.share() || read == metainfo);
            prop_assert_eq!(Metainfo::parse(read.served_bytes()), Ok(read));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Metainfo::parse(&bytes).is_err());
        let tree = with_tree(&bytes);
        if let Ok(read) = Metainfo::parse(&tree) {
            prop_assert!(read.served_bytes().len() <= tree.len());
        }
    }
}
