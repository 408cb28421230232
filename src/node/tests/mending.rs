//! What a process does about pieces that are there and wrong: it asks for their true leaves, and fetches only the wrong ones.

use super::*;
use crate::content::PieceIndex;

const LEAVES: u32 = 4;
const LEAF: u64 = LEAF_BYTES as u64;
/// How long a peer may take to tell leaves, and a little more.
const PATIENCE: Duration = Duration::from_secs(11);

fn leaf(piece: u32, leaf: u32) -> Digest {
    merkle::leaf(format!("leaf {leaf} of piece {piece}").as_bytes())
}

fn leaves(piece: u32) -> Vec<Digest> {
    (0..LEAVES).map(|at| leaf(piece, at)).collect()
}

/// The leaves of a piece, these of them wrong.
fn spoilt(piece: u32, wrong: &[u32]) -> (PieceIndex, Vec<Digest>) {
    let mut there = leaves(piece);
    wrong.iter().for_each(|at| there[*at as usize] = Digest([9; 32]));
    (PieceSet::full(piece + 1).iter().last().expect("a piece"), there)
}

/// So many pieces of four leaves each.
fn described(pieces: u32) -> Arc<Metainfo> {
    let name = Name::new(b"share").expect("a name");
    let length = u64::from(pieces * LEAVES * LEAF_BYTES);
    let file = FileEntry { path: TreePath(vec![name.clone()]), length, executable: false };
    let hashes = (0..pieces).map(|piece| merkle::root(&leaves(piece), LEAVES as usize)).collect();
    let described = Metainfo::describe(&name, LEAVES * LEAF_BYTES, true, vec![file], hashes, Vec::new())
        .expect("a share");
    Arc::new(described)
}

impl Stage {
    /// Of these pieces some leaves are wrong; the others are held, but for those that are missing.
    fn mending(
        pieces: u32,
        doubtful: impl IntoIterator<Item = (PieceIndex, Vec<Digest>)>,
        missing: &[u32],
    ) -> Stage {
        let mut stage = Stage::with(Role::Peer, Start::Described(described(pieces)));
        let (share, wanted) = (stage.share(), PieceSet::full(pieces));
        let doubtful: BTreeMap<_, _> = doubtful.into_iter().collect();
        let mut held = PieceSet::full(pieces);
        let is_lacked = |piece: &PieceIndex| doubtful.contains_key(piece) || missing.contains(&piece.get());
        wanted.iter().filter(is_lacked).for_each(|piece| _ = held.remove(piece));
        stage.happens(Event::Prepared { share, held, wanted, banned: Vec::new(), doubtful });
        stage
    }

    /// Peer `n` is linked, holds everything and serves us; gives what was done until the next look at the links.
    fn holder(&mut self, n: u8) -> (LinkId, Vec<Action>) {
        let link = self.guest(n);
        let last = self.metainfo.geometry().piece_count() - 1;
        let mut out = self.says(link, stock_of(0, last));
        out.extend(self.says(link, Message::Unchoke));
        out.extend(self.pass(Duration::from_millis(600)));
        (link, out)
    }

    fn tells(&mut self, link: LinkId, piece: u32, digests: Vec<Digest>) -> Vec<Action> {
        let length = u32::try_from(32 * digests.len()).expect("small");
        let message = Message::Leaves { piece: piece.into(), length };
        self.happens(Event::Received { link, message, payload: Payload::Digests(digests) })
    }

    /// Some leaves arrive, are written and count.
    fn gives(&mut self, link: LinkId, block: Block, digests: Vec<Digest>) -> Vec<Action> {
        let (piece, start, length) = (u64::from(block.piece.get()), u64::from(block.start), block.length);
        let message = Message::Block { piece, start, length };
        let mut out = self.happens(Event::Received { link, message, payload: Payload::Digests(digests) });
        assert!(out.iter().any(|action| matches!(action, Action::Write { .. })));
        let share = self.share();
        out.extend(self.happens(Event::Wrote { share, block, done: true }));
        out
    }

    fn is_complete(&self) -> bool {
        self.node.view(self.now)[0].complete
    }
}

/// The pieces whose leaves a peer is asked for.
fn doubted(actions: &[Action], of: LinkId) -> Vec<u64> {
    let piece = |message: &&Message| {
        if let Message::LeavesRequest { piece } = message { Some(*piece) } else { None }
    };
    said(actions, of).iter().filter_map(piece).collect()
}

/// The ranges that a peer is asked for: piece, first leaf, leaves.
fn ranges(actions: &[Action], of: LinkId) -> Vec<(u64, u64, u64)> {
    let range = |message: &&Message| match message {
        Message::Request { piece, start, length } => Some((*piece, start / LEAF, length / LEAF)),
        _ => None,
    };
    said(actions, of).iter().filter_map(range).collect()
}

fn bans(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Tell(News::Banned { .. }))).count()
}

fn block(stage: &Stage, piece: u64, first: u32, count: u32) -> Block {
    let (start, length) = (u64::from(first * LEAF_BYTES), u64::from(count * LEAF_BYTES));
    stage.metainfo.geometry().block(piece, start, length).expect("a block")
}

#[test]
fn of_a_piece_that_is_there_and_wrong_only_the_wrong_leaf_is_fetched() {
    let mut stage = Stage::mending(3, [spoilt(1, &[2])], &[]);
    let (link, out) = stage.holder(1);
    assert!(said(&out, link).contains(&&Message::Interested));
    assert_eq!((doubted(&out, link), ranges(&out, link)), (vec![1], vec![]), "first which, then what");
    let out = stage.tells(link, 1, leaves(1));
    assert_eq!(ranges(&out, link), [(1, 2, 1)]);
    let out = stage.gives(link, block(&stage, 1, 2, 1), vec![leaf(1, 2)]);
    assert!(out.iter().any(|action| matches!(action, Action::Keep { .. })) && stage.is_complete());
}

#[test]
fn wrong_leaves_that_adjoin_are_asked_for_in_one_request() {
    let mut stage = Stage::mending(1, [spoilt(0, &[0, 2, 3])], &[]);
    let (link, _) = stage.holder(1);
    let out = stage.tells(link, 0, leaves(0));
    assert_eq!(ranges(&out, link), [(0, 0, 1), (0, 2, 2)]);
}

#[test]
fn what_is_missing_is_fetched_meanwhile() {
    let mut stage = Stage::mending(3, [spoilt(1, &[2])], &[0]);
    let (link, out) = stage.holder(1);
    assert_eq!((doubted(&out, link), asked(&out, link)), (vec![1], vec![0]));
    stage.gives(link, block(&stage, 0, 0, LEAVES), leaves(0));
    let out = stage.pass(Duration::from_secs(2));
    assert!(asked(&out, link).is_empty(), "what is held back is not fetched for want of anything else");
}

#[test]
fn until_somebody_holds_a_piece_in_doubt_it_waits() {
    let mut stage = Stage::mending(2, [spoilt(1, &[2])], &[0]);
    let poor = stage.guest(1);
    let mut out = stage.says(poor, stock_of(0, 0));
    out.extend(stage.pass(Duration::from_secs(2)));
    assert!(doubted(&out, poor).is_empty());
    let (rich, out) = stage.holder(2);
    assert_eq!(doubted(&out, rich), [1]);
    assert!(ranges(&stage.tells(rich, 1, leaves(1)), rich).contains(&(1, 2, 1)));
}

#[test]
fn who_does_not_tell_is_passed_over_and_when_nobody_is_left_the_piece_is_fetched_whole() {
    for answer in [None, Some(Vec::new())] {
        let mut stage = Stage::mending(1, [spoilt(0, &[2])], &[]);
        let (one, out) = stage.holder(1);
        assert_eq!(doubted(&out, one), [0]);
        let (other, out) = stage.holder(2);
        assert!(doubted(&out, other).is_empty(), "one is enough");
        let wait = |stage: &mut Stage, link: LinkId| {
            if let Some(leaves) = answer.clone() {
                return stage.tells(link, 0, leaves);
            }
            let mut out = Vec::new();
            for _ in 0..4 {
                [one, other].into_iter().for_each(|link| out.extend(stage.says(link, Message::Heartbeat)));
                out.extend(stage.pass(PATIENCE / 4));
            }
            out
        };
        let out = wait(&mut stage, one);
        assert_eq!(doubted(&out, other), [0]);
        assert!(asked(&out, one).is_empty() && asked(&out, other).is_empty());
        let out = wait(&mut stage, other);
        let whole = [ranges(&out, one), ranges(&out, other)].concat();
        assert!(whole.contains(&(0, 0, u64::from(LEAVES))), "{whole:?}");
        assert_eq!(bans(&out), 0, "nobody is to blame for what was wrong here");
    }
}

#[test]
fn who_tells_false_leaves_is_banned_and_another_is_asked() {
    let mut stage = Stage::mending(1, [spoilt(0, &[2])], &[]);
    let (liar, _) = stage.holder(1);
    let (honest, _) = stage.holder(2);
    let out = stage.tells(liar, 0, spoilt(0, &[2]).1);
    assert_eq!(farewell(&out, liar), Some(ErrorCode::Banned), "even if it says what we have");
    assert_eq!(doubted(&out, honest), [0]);
    assert_eq!(ranges(&stage.tells(honest, 0, leaves(0)), honest), [(0, 2, 1)]);
}

#[test]
fn who_gives_a_false_leaf_is_banned_and_what_was_right_stays_right() {
    let mut stage = Stage::mending(1, [spoilt(0, &[2])], &[]);
    let (liar, _) = stage.holder(1);
    let out = stage.tells(liar, 0, leaves(0));
    assert_eq!(ranges(&out, liar), [(0, 2, 1)]);
    let (honest, _) = stage.holder(2);
    let out = stage.gives(liar, block(&stage, 0, 2, 1), vec![Digest([8; 32])]);
    assert!(!stage.is_complete());
    assert_eq!(doubted(&out, honest), [0]);
    let reason = NackReason::Cancelled;
    stage.says(honest, Message::Nack { piece: 0, start: 2 * LEAF, length: LEAF, reason });
    let out = stage.tells(honest, 0, leaves(0));
    assert_eq!((farewell(&out, liar), bans(&out)), (Some(ErrorCode::Banned), 1));
    assert_eq!(ranges(&out, honest), [(0, 2, 1)]);
    stage.gives(honest, block(&stage, 0, 2, 1), vec![leaf(0, 2)]);
    assert!(stage.is_complete());
}

#[test]
fn no_peer_is_asked_about_more_pieces_at_a_time_than_it_answers() {
    let mut stage = Stage::mending(30, (0..30).map(|piece| spoilt(piece, &[1])), &[]);
    let (one, out) = stage.holder(1);
    assert_eq!(doubted(&out, one).len(), 8);
    let (other, out) = stage.holder(2);
    assert_eq!((doubted(&out, one).len(), doubted(&out, other).len()), (0, 8));
    let out = stage.tells(one, 0, leaves(0));
    assert!(doubted(&out, one).is_empty(), "not before the next look");
    assert_eq!(doubted(&stage.pass(Duration::from_millis(600)), one).len(), 1);
}

#[test]
fn where_nothing_was_right_of_any_piece_the_rest_is_fetched_whole_without_asking() {
    let mut stage = Stage::mending(30, (0..30).map(|piece| spoilt(piece, &[0, 1, 2, 3])), &[]);
    let (link, out) = stage.holder(1);
    assert_eq!((doubted(&out, link).len(), ranges(&out, link).len()), (8, 0));
    let mut asked_for = |piece| ranges(&stage.tells(link, piece, leaves(piece)), link);
    (0..3).for_each(|piece| assert!(asked_for(piece).iter().all(|(of, ..)| *of <= 2), "they may be alone"));
    assert!(asked_for(3).iter().any(|(of, ..)| *of >= 8), "of pieces that nobody was asked about");
    assert!(doubted(&stage.pass(Duration::from_millis(600)), link).is_empty());
}

#[test]
fn pieces_of_which_something_was_right_now_and_then_stay_in_doubt() {
    let wrong = |piece| if piece % 3 == 2 { &[1][..] } else { &[0, 1, 2, 3] };
    let mut stage = Stage::mending(30, (0..30).map(|piece| spoilt(piece, wrong(piece))), &[]);
    let (link, _) = stage.holder(1);
    (0..8).for_each(|piece| _ = stage.tells(link, piece, leaves(piece)));
    assert_eq!(doubted(&stage.pass(Duration::from_millis(600)), link).len(), 8);
}

#[test]
fn what_was_in_doubt_and_is_gone_since_is_fetched_whole() {
    let mut stage = Stage::mending(2, [spoilt(1, &[2])], &[]);
    let (share, pieces) = (stage.share(), vec![spoilt(1, &[]).0]);
    stage.happens(Event::Spoiled { share, pieces });
    let (link, out) = stage.holder(1);
    assert_eq!((doubted(&out, link), ranges(&out, link)), (vec![], vec![(1, 0, u64::from(LEAVES))]));
}

#[test]
fn leaves_that_are_no_doubt_change_nothing() {
    let right = (spoilt(0, &[]).0, leaves(0));
    let short = (spoilt(1, &[]).0, leaves(1)[1..].to_vec());
    let mut stage = Stage::mending(2, [right, short], &[]);
    let (link, out) = stage.holder(1);
    let mut pieces = asked(&out, link);
    pieces.sort_unstable();
    assert_eq!((pieces, doubted(&out, link)), (vec![0, 1], vec![]), "they are fetched whole");
}
