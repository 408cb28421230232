//! How a share looks at 40, 60, 80 and 200 columns.

use std::net::SocketAddr;
use std::sync::Arc;

use super::*;
use crate::console::human::columns;
use crate::content::metainfo::FileEntry;
use crate::content::{Metainfo, Name, PieceSet, TreePath};
use crate::ids::{Digest, PeerId, ShareId};
use crate::seam::{PeerView, ShareView};

const PIECE: u64 = 16 * 1024;

/// A folder `photos` of these files, each of so many pieces.
fn folder(files: &[(&str, u64)]) -> Arc<Metainfo> {
    let name = |text: &str| Name::new(text.as_bytes()).unwrap();
    let file = |(path, pieces): &(&str, u64)| FileEntry {
        path: TreePath(path.split('/').map(name).collect()),
        length: pieces * PIECE,
        executable: false,
    };
    let pieces: u64 = files.iter().map(|(_, pieces)| pieces).sum();
    let hashes = vec![Digest([1; 32]); usize::try_from(pieces).unwrap()];
    let files = files.iter().map(file).collect();
    Arc::new(Metainfo::describe(&name("photos"), 16 * 1024, false, files, hashes, Vec::new()).unwrap())
}

fn first(count: u64, metainfo: &Metainfo) -> PieceSet {
    let mut held = PieceSet::empty(metainfo.geometry().piece_count());
    (0..count).for_each(|index| assert!(held.insert(metainfo.geometry().piece(index).unwrap())));
    held
}

fn peer(pieces: u32, is_tracker: bool) -> PeerView {
    PeerView {
        id: PeerId([7; 20]),
        address: SocketAddr::from(([127, 0, 0, 1], 9)),
        agent: String::new(),
        is_tracker,
        pieces,
        down_rate: 0,
        up_rate: 0,
        received_bytes: 0,
        sent_bytes: 0,
    }
}

fn blank() -> ShareView {
    ShareView {
        share: ShareId([7; 32]),
        metainfo: None,
        prepared: false,
        reached: false,
        refused: false,
        offered: false,
        done_bytes: 0,
        total_bytes: 0,
        held: None,
        halted: false,
        complete: false,
        sent_bytes: 0,
        from_seed_bytes: 0,
        from_peer_bytes: 0,
        wasted_bytes: 0,
        down_rate: 0,
        up_rate: 0,
        copies_percent: 0,
        peers: Vec::new(),
    }
}

/// 45 of 100 pieces, at 12.3 MiB/s, with a seed, a tracker without content and three others.
fn under_way() -> ShareView {
    let metainfo = folder(&[("a.jpg", 40), ("b/c.jpg", 60)]);
    ShareView {
        prepared: true,
        reached: true,
        offered: true,
        done_bytes: 45 * PIECE,
        total_bytes: 100 * PIECE,
        held: Some(first(45, &metainfo)),
        down_rate: 12_900_000,
        up_rate: 3_450,
        sent_bytes: 1_288_490_188,
        copies_percent: 231,
        peers: vec![peer(100, true), peer(0, true), peer(12, false), peer(45, false), peer(3, false)],
        metainfo: Some(metainfo),
        ..blank()
    }
}

#[test]
fn a_download_shows_what_matters_most_at_every_width() {
    let view = under_way();
    let table: [(usize, &[&str]); 4] = [
        (40, &["photos   45%  down 12.3 MiB/s  eta  0:01", "  [=======>         ]   720 KiB/1.56 MiB"]),
        (
            60,
            &[
                "photos  [=======>        ]   45%  down 12.3 MiB/s  eta  0:01",
                "   720 KiB/1.56 MiB  up 3.36 KiB/s  4 peers  45/100 pieces",
            ],
        ),
        (
            80,
            &[
                "photos  [=======>         ]   45%   720 KiB/1.56 MiB  down 12.3 MiB/s  eta  0:01",
                "  up 3.36 KiB/s  4 peers  45/100 pieces",
            ],
        ),
        (
            200,
            &["photos  [======================>                           ]   45%   720 KiB/1.56 MiB  \
               down 12.3 MiB/s  up 3.36 KiB/s  eta  0:01  4 peers  45/100 pieces"],
        ),
    ];
    for (width, expected) in table {
        assert_eq!(download_lines("photos", &view, width), expected, "{width} columns");
    }
}

#[test]
fn a_seed_shows_the_worst_peers_first() {
    let view = under_way();
    let table = [
        (40, "photos  4 peers  sent 1.19 GiB"),
        (60, "photos  4 peers  3% 12% 45% 100%  sent 1.19 GiB  copies 2.31"),
        (80, "photos  4 peers  3% 12% 45% 100%  sent 1.19 GiB  up 3.36 KiB/s  copies 2.31"),
        (200, "photos  4 peers  3% 12% 45% 100%  sent 1.19 GiB  up 3.36 KiB/s  copies 2.31"),
    ];
    for (width, expected) in table {
        assert_eq!(seed_line("photos", &view, width), expected, "{width} columns");
    }
}

#[test]
fn a_line_in_a_log_has_no_bar_and_no_padding() {
    let view = under_way();
    assert_eq!(
        download_plain("photos", &view),
        "photos: 45 %, 720 KiB of 1.56 MiB, down 12.3 MiB/s, up 3.36 KiB/s, 4 peers, ETA 1 s"
    );
    assert_eq!(
        seed_plain("photos", &view),
        "photos: 4 peers (3 %, 12 %, 45 %, 100 %), sent 1.19 GiB, up 3.36 KiB/s, 2.31 copies"
    );
    let crowd = ShareView { peers: vec![peer(3, false); 10], ..under_way() };
    let eight = ["3 %"; 8].join(", ");
    assert_eq!(register_plain("photos", &crowd), format!("photos: 10 peers ({eight}, 2 more)"));
    assert_eq!(register_plain("photos", &blank()), "photos: 0 peers");
    assert_eq!(download_plain("photos", &blank()), "photos: waiting for a peer");
    assert_eq!(check_plain("hashing photos", 42, 100), "hashing photos: 42 %");
}

#[test]
fn the_file_in_hand_is_the_one_begun_with_the_least_missing() {
    let view = under_way();
    assert_eq!(file_line(&view, 40), Some("  file 2 of 2  b/c.jpg    8%".to_owned()));
    assert_eq!(file_line(&ShareView { complete: true, ..under_way() }, 40), None);
    let metainfo = folder(&[("only.jpg", 9)]);
    let alone = ShareView { held: Some(first(3, &metainfo)), metainfo: Some(metainfo), ..under_way() };
    assert_eq!(file_line(&alone, 40), None);
}

#[test]
fn a_long_path_keeps_its_beginning_and_its_ending() {
    let metainfo = folder(&[("a", 1), ("b/a rather long name of a folder/and of a file.jpeg", 4)]);
    let view = ShareView { held: Some(first(2, &metainfo)), metainfo: Some(metainfo), ..under_way() };
    assert_eq!(file_line(&view, 40), Some("  file 2 of 2  b/a rather l...jpeg   25%".to_owned()));
}

#[test]
fn before_anything_is_known_the_line_says_what_is_waited_for() {
    assert_eq!(download_lines("photos", &blank(), 60), ["photos  waiting for a peer"]);
    let reached = ShareView { reached: true, ..blank() };
    assert_eq!(download_lines("photos", &reached, 60), ["photos  fetching the description"]);
}

#[test]
fn a_check_shows_how_far_it_is() {
    let line = check_line("checking photos", 3 << 30, 4 << 30, Some(1 << 30), 80);
    assert_eq!(line, "checking photos  [=========>   ]   75%  3.00 GiB/4.00 GiB  1.00 GiB/s  eta  0:01");
    assert_eq!(check_line("checking photos", 0, 0, None, 30), "checking photos  100%");
}

#[test]
fn no_line_of_a_share_is_wider_than_the_terminal() {
    let metainfo = folder(&[("日本語/とても長い名前のファイル.txt", 50), ("b", 50)]);
    let peers = (0..60).map(|pieces| peer(pieces, false)).collect();
    let view = ShareView { held: Some(first(51, &metainfo)), metainfo: Some(metainfo), peers, ..under_way() };
    for width in 1..250 {
        let download = download_lines("日本語のとても長い名前の共有", &view, width);
        let others = [
            seed_line("日本語のとても長い名前の共有", &view, width),
            register_line("a share with a name that goes on and on and on and on", &view, width),
            check_line("checking", 1, 3, Some(1), width),
            file_line(&view, width).unwrap_or_default(),
        ];
        for line in download.into_iter().chain(others) {
            assert!(columns(&line) <= width, "{width}: {line}");
        }
    }
}
