//! Stories of choosing: what is asked next, and of whom.

use super::*;
use crate::content::metainfo::FileEntry;
use crate::content::{LEAF_BYTES, Name, TreePath, merkle};

const PIECE_LEAVES: u32 = 4;
const PIECE: u32 = PIECE_LEAVES * LEAF_BYTES;
const ANA: LinkId = LinkId(1);
const BIA: LinkId = LinkId(2);
const CAIO: LinkId = LinkId(3);

fn truth(piece: u32, leaf: u32) -> Digest {
    merkle::leaf(format!("leaf {leaf} of piece {piece}").as_bytes())
}

fn lie(leaf: u32) -> Digest {
    merkle::leaf(format!("a lie about leaf {leaf}").as_bytes())
}

/// One file of so many pieces, all full but the last, of so many leaves.
fn metainfo(pieces: u32, last_leaves: u32) -> Arc<Metainfo> {
    let name = Name::new(b"share").expect("a name");
    let root = |piece| {
        let leaves: Vec<_> = (0..PIECE_LEAVES).map(|leaf| truth(piece, leaf)).collect();
        merkle::root(&leaves, leaves.len())
    };
    let file = FileEntry {
        path: TreePath(vec![name.clone()]),
        length: u64::from(pieces - 1) * u64::from(PIECE) + u64::from(last_leaves) * u64::from(LEAF_BYTES),
        executable: false,
    };
    let hashes = (0..pieces).map(root).collect();
    Arc::new(Metainfo::describe(&name, PIECE, true, vec![file], hashes, Vec::new()).expect("a share"))
}

struct Village {
    metainfo: Arc<Metainfo>,
    picker: Picker,
    chance: Chance,
}

impl Village {
    fn of(pieces: u32) -> Village {
        Village::with_seed(pieces, 1)
    }

    fn with_seed(pieces: u32, seed: u64) -> Village {
        Village::sharing(metainfo(pieces, PIECE_LEAVES), seed)
    }

    fn sharing(metainfo: Arc<Metainfo>, seed: u64) -> Village {
        let (pieces, mut chance) = (metainfo.geometry().piece_count(), Chance::new(seed));
        let (held, wanted) = (PieceSet::empty(pieces), PieceSet::full(pieces));
        let picker = Picker::new(Arc::clone(&metainfo), held, wanted, &mut chance);
        Village { metainfo, picker, chance }
    }

    fn piece(&self, index: u32) -> PieceIndex {
        self.metainfo.geometry().piece(u64::from(index)).expect("a piece")
    }

    fn stock(&mut self, pieces: impl IntoIterator<Item = u32>) -> PieceSet {
        let mut stock = PieceSet::empty(self.metainfo.geometry().piece_count());
        for index in pieces {
            let piece = self.piece(index);
            stock.insert(piece);
            self.picker.gained(piece);
        }
        stock
    }

    fn next(&mut self, link: LinkId, stock: &PieceSet, bytes: u32) -> Option<Block> {
        let mut offer = Offer { link, stock, suggested: &mut VecDeque::new(), is_guided: false };
        let block = self.picker.next(&mut offer, bytes, 3, &mut self.chance);
        self.picker.check();
        block
    }

    fn receive(&mut self, link: LinkId, block: Block) -> Receipt {
        self.receive_as(link, block, truth)
    }

    fn receive_as(&mut self, link: LinkId, block: Block, digest: impl Fn(u32, u32) -> Digest) -> Receipt {
        let leaves =
            block.leaves().map(|leaf| digest(block.piece.get(), u32::try_from(leaf).expect("a leaf")));
        let receipt = self.picker.receive(giver(link), block, &leaves.collect::<Vec<_>>());
        self.picker.check();
        receipt
    }

    fn finish(&mut self, link: LinkId, stock: &PieceSet) -> PieceIndex {
        let block = self.next(link, stock, PIECE).expect("something to ask for");
        self.receive(link, block);
        assert_eq!(self.picker.wrote(block, true), Finish::Held);
        block.piece
    }
}

fn giver(link: LinkId) -> Giver {
    let n = u8::try_from(link.0).expect("a small number");
    Giver { link, id: PeerId([n; 20]), ip: IpAddr::from([10, 0, 0, n]), port: 7070, was_seed: true }
}

#[test]
fn the_first_four_pieces_are_any_and_then_the_rarest_come_first() {
    let mut first = BTreeSet::new();
    for seed in 0..40 {
        let mut village = Village::with_seed(20, seed);
        let all = village.stock(0..20);
        village.stock(0..19);
        first.insert(village.finish(ANA, &all).get());
        for _ in 0..3 {
            village.finish(ANA, &all);
        }
        if !village.picker.held().contains(village.piece(19)) {
            assert_eq!(village.finish(ANA, &all).get(), 19, "only one peer has piece 19");
        }
    }
    assert!(first.len() > 10, "the first piece is chosen by chance: {first:?}");
}

#[test]
fn ties_are_broken_by_chance() {
    let mut fifth = BTreeSet::new();
    for seed in 0..40 {
        let mut village = Village::with_seed(30, seed);
        let all = village.stock(0..30);
        for _ in 0..4 {
            village.finish(ANA, &all);
        }
        fifth.insert(village.finish(ANA, &all).get());
    }
    assert!(fifth.len() > 12, "{fifth:?}");
}

#[test]
fn availability_goes_down_exactly_by_what_a_leaving_peer_added() {
    let mut village = Village::of(8);
    let (all, few) = (village.stock(0..8), village.stock([2, 5]));
    few.iter().for_each(|piece| village.picker.lost_holder(piece));
    assert!(all.iter().all(|piece| village.picker.holders(piece) == 1));
}

#[test]
fn a_half_done_piece_is_finished_before_another_is_begun() {
    let mut village = Village::of(8);
    let all = village.stock(0..8);
    let first = village.next(ANA, &all, LEAF_BYTES).expect("a block");
    for leaf in 1..PIECE_LEAVES {
        let block = village.next(BIA, &all, LEAF_BYTES).expect("a block");
        assert_eq!((block.piece, block.start), (first.piece, leaf * LEAF_BYTES));
    }
    assert_ne!(village.next(BIA, &all, LEAF_BYTES).expect("a block").piece, first.piece);
}

#[test]
fn a_peer_goes_on_with_what_it_is_at_and_another_with_what_is_nearest_its_end() {
    let mut village = Village::of(8);
    let (first, second) = (village.stock([0]), village.stock([1]));
    village.next(ANA, &first, LEAF_BYTES).expect("a block");
    let half = village.next(BIA, &second, PIECE / 2).expect("a block");
    village.receive(BIA, half);
    let both = village.stock([0, 1]);
    assert_eq!(village.next(CAIO, &both, LEAF_BYTES).map(|block| block.piece.get()), Some(1));
    assert_eq!(village.next(ANA, &both, LEAF_BYTES).map(|block| block.piece.get()), Some(0));
}

#[test]
fn many_links_may_begin_half_as_many_pieces_again() {
    let mut village = Village::of(2000);
    let all = village.stock(0..2000);
    let mut offer = Offer { link: ANA, stock: &all, suggested: &mut VecDeque::new(), is_guided: false };
    let mut begun = BTreeSet::new();
    while let Some(block) = village.picker.next(&mut offer, PIECE, 400, &mut village.chance) {
        begun.insert(block.piece);
    }
    assert_eq!(begun.len(), 600);
}

#[test]
fn nor_does_a_suggestion_begin_one_more() {
    let mut village = Village::of(2000);
    let all = village.stock(0..2000);
    while village.next(ANA, &all, PIECE).is_some() {}
    let open = all.iter().find(|piece| village.picker.rarity.is_open(*piece)).expect("most are");
    let mut suggested = VecDeque::from([open]);
    let mut offer = Offer { link: BIA, stock: &all, suggested: &mut suggested, is_guided: true };
    assert_eq!(village.picker.next(&mut offer, PIECE, 3, &mut village.chance), None);
}

#[test]
fn pieces_in_doubt_wait_for_one_who_holds_them_and_count_none_but_themselves_as_vain() {
    let mut village = Village::of(16);
    let doubtful = village.piece(15);
    village.picker.doubt(doubtful, (0..PIECE_LEAVES).map(lie).collect());
    assert_eq!(village.picker.next_doubt(3), None, "nobody holds it");
    let all = village.stock(0..16);
    for _ in 0..8 {
        let block = village.next(ANA, &all, PIECE).expect("a block");
        village.receive_as(ANA, block, |_, leaf| lie(leaf));
        village.picker.wrote(block, true);
        let leaves: Vec<Digest> = (0..PIECE_LEAVES).map(|leaf| truth(block.piece.get(), leaf)).collect();
        assert_eq!(village.picker.judge(block.piece, Some(&leaves)).len(), 1, "ANA lied");
    }
    assert_eq!(village.picker.next_doubt(3), Some(doubtful));
}

#[test]
fn of_who_holds_little_the_rarest_is_found_behind_hundreds_that_it_has_not_and_all_ties_are_drawn() {
    let village = Village::of(2000);
    let (mut rarity, mut chance) = (super::rarity::Rarity::new(2000), Chance::new(1));
    village.metainfo.geometry().pieces().for_each(|piece| rarity.open(piece));
    let mut stock = PieceSet::empty(2000);
    for (index, holders) in [(700, 2), (800, 1), (900, 1), (1_000, 1), (1_100, 3)] {
        stock.insert(village.piece(index));
        (0..holders).for_each(|_| rarity.raise(village.piece(index)));
    }
    let mut drawn = [0; 3];
    for _ in 0..300 {
        let piece = rarity.rarest(&stock, &mut chance).expect("it holds five").get();
        let place = [800, 900, 1_000].iter().position(|rarest| *rarest == piece);
        drawn[place.expect("one of the rarest")] += 1;
    }
    assert!(drawn.iter().all(|count| (70..=130).contains(count)), "{drawn:?}");
}

#[test]
fn a_piece_of_one_leaf_is_not_in_doubt_because_nothing_of_it_could_be_right() {
    let mut village = Village::sharing(metainfo(2, 1), 1);
    let all = village.stock(0..2);
    village.picker.doubt(village.piece(1), vec![lie(0)]);
    assert_eq!(village.picker.next_doubt(1), None);
    let asked = [village.next(ANA, &all, PIECE), village.next(ANA, &all, PIECE)];
    assert!(asked.iter().flatten().any(|block| block.piece == village.piece(1)), "{asked:?}");
}

#[test]
fn half_done_pieces_are_capped() {
    let pieces = 2000;
    let mut village = Village::of(pieces);
    let all = village.stock(0..pieces);
    let mut begun = BTreeSet::new();
    while let Some(block) = village.next(ANA, &all, PIECE) {
        begun.insert(block.piece);
    }
    assert_eq!(begun.len() as u64, BEGUN_BYTES / u64::from(PIECE));
}

#[test]
fn what_a_peer_suggests_is_asked_first_if_it_is_still_open() {
    let mut village = Village::of(16);
    let all = village.stock(0..16);
    let held = village.finish(ANA, &all);
    let wish = village.piece(if held.get() == 11 { 12 } else { 11 });
    let mut suggested = VecDeque::from([held, wish]);
    let mut offer = Offer { link: ANA, stock: &all, suggested: &mut suggested, is_guided: false };
    let block = village.picker.next(&mut offer, PIECE, 3, &mut village.chance);
    assert_eq!(block.map(|block| block.piece), Some(wish));
}

#[test]
fn what_a_peer_suggests_comes_before_what_others_are_at_though_it_be_begun() {
    let mut village = Village::of(16);
    let all = village.stock(0..16);
    let begun = village.next(BIA, &all, PIECE / 2).expect("a block").piece;
    let wish = village.piece(if begun.get() == 11 { 12 } else { 11 });
    let mut suggested = VecDeque::from([wish, begun]);
    let mut offer = Offer { link: ANA, stock: &all, suggested: &mut suggested, is_guided: false };
    let mut next = || village.picker.next(&mut offer, PIECE, 3, &mut village.chance).map(|block| block.piece);
    assert_eq!([next(), next()], [Some(wish), Some(begun)]);
}

#[test]
fn nothing_is_asked_twice_before_the_very_end() {
    let mut village = Village::of(2);
    let all = village.stock(0..2);
    let one = village.next(ANA, &all, PIECE).expect("a block");
    assert_eq!(village.picker.endgame(BIA, &all), None, "a piece is still open");
    let two = village.next(ANA, &all, PIECE).expect("a block");
    assert_eq!(village.next(BIA, &all, PIECE), None);
    let twice = village.picker.endgame(BIA, &all).expect("everything is asked for");
    assert!(twice == one || twice == two);
    let other = village.picker.endgame(BIA, &all).expect("the other one");
    assert_ne!(twice, other);
    assert_eq!(village.picker.endgame(BIA, &all), None);
}

#[test]
fn in_endgame_the_first_answer_cancels_the_others() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let block = village.next(ANA, &all, PIECE).expect("a block");
    assert_eq!(village.picker.endgame(BIA, &all), Some(block));
    assert_eq!(village.picker.endgame(CAIO, &all), Some(block));
    assert_eq!(village.picker.endgame(LinkId(4), &all), None, "three are enough");
    assert_eq!(village.receive(BIA, block), Receipt::Taken(vec![ANA, CAIO]));
    assert_eq!(village.receive(ANA, block), Receipt::Wasted);
    assert_eq!(village.picker.wrote(block, true), Finish::Held);
    assert!(village.picker.is_complete());
}

#[test]
fn what_a_peer_will_not_send_is_asked_of_another() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let block = village.next(ANA, &all, PIECE).expect("a block");
    assert_eq!(village.next(BIA, &all, PIECE), None);
    village.picker.release(ANA, block);
    village.picker.check();
    assert_eq!(village.next(BIA, &all, PIECE), Some(block));
}

#[test]
fn a_block_asked_of_two_stays_asked_when_one_gives_up() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let block = village.next(ANA, &all, PIECE).expect("a block");
    village.picker.endgame(BIA, &all);
    village.picker.release(ANA, block);
    assert_eq!(village.next(CAIO, &all, PIECE), None);
    assert_eq!(village.receive(BIA, block), Receipt::Taken(vec![]));
}

#[test]
fn a_piece_is_held_only_once_it_is_true_and_written() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let one = village.next(ANA, &all, PIECE / 2).expect("a block");
    let two = village.next(BIA, &all, PIECE / 2).expect("a block");
    village.receive(BIA, two);
    village.receive(ANA, one);
    assert_eq!(village.picker.wrote(two, true), Finish::Unfinished);
    assert!(!village.picker.held().contains(one.piece));
    assert_eq!(village.picker.wrote(one, true), Finish::Held);
}

#[test]
fn a_failed_write_is_asked_for_again() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let block = village.next(ANA, &all, PIECE).expect("a block");
    village.receive(ANA, block);
    assert_eq!(village.picker.wrote(block, false), Finish::Unfinished);
    village.picker.check();
    assert_eq!(village.next(BIA, &all, PIECE), Some(block));
}

#[test]
fn a_write_of_before_a_loss_counts_for_nothing_and_the_piece_waits_until_it_ended() {
    for done in [true, false] {
        let mut village = Village::of(1);
        let all = village.stock(0..1);
        let one = village.next(ANA, &all, PIECE / 2).expect("a block");
        let two = village.next(BIA, &all, PIECE / 2).expect("a block");
        village.receive(ANA, one);
        village.picker.want_again(one.piece);
        assert_eq!(village.next(CAIO, &all, PIECE), None, "while it is being written");
        assert_eq!(village.receive(BIA, two), Receipt::Wasted);
        assert_eq!(village.picker.wrote(one, done), Finish::Reopened);
        let whole = village.next(CAIO, &all, PIECE).expect("all of it");
        assert_eq!(whole.length, PIECE);
        village.receive(CAIO, whole);
        assert_eq!(village.picker.wrote(whole, true), Finish::Held);
    }
}

#[test]
fn the_true_leaves_name_the_liar_alone_and_only_its_leaves_are_asked_again() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let honest = village.next(ANA, &all, PIECE / 2).expect("a block");
    let lying = village.next(BIA, &all, PIECE / 2).expect("a block");
    village.receive(ANA, honest);
    village.receive_as(BIA, lying, |piece, leaf| if leaf == 3 { lie(leaf) } else { truth(piece, leaf) });
    village.picker.wrote(honest, true);
    assert_eq!(village.picker.wrote(lying, true), Finish::Wrong);
    let leaves: Vec<_> = (0..PIECE_LEAVES).map(|leaf| truth(0, leaf)).collect();
    let lie = Lie { giver: giver(BIA), bytes: u64::from(LEAF_BYTES) };
    assert_eq!(village.picker.judge(honest.piece, Some(&leaves)), [lie]);
    village.picker.check();
    let again = village.next(ANA, &all, PIECE).expect("the bad leaf");
    assert_eq!((again.start, again.length), (3 * LEAF_BYTES, LEAF_BYTES));
    village.receive(ANA, again);
    assert_eq!(village.picker.wrote(again, true), Finish::Held);
}

#[test]
fn a_wrong_piece_that_nobody_can_judge_is_fetched_anew_and_its_only_giver_blamed() {
    let mut village = Village::of(1);
    let all = village.stock(0..1);
    let block = village.next(ANA, &all, PIECE).expect("a block");
    village.receive_as(ANA, block, |_, leaf| lie(leaf));
    assert_eq!(village.picker.wrote(block, true), Finish::Wrong);
    assert_eq!(village.picker.judge(block.piece, None), [Lie { giver: giver(ANA), bytes: u64::from(PIECE) }]);
    village.picker.check();
    assert_eq!(village.next(BIA, &all, PIECE), Some(block));
}

#[test]
fn unwanted_pieces_are_never_asked_for() {
    let metainfo = metainfo(6, PIECE_LEAVES);
    let mut chance = Chance::new(1);
    let mut wanted = PieceSet::empty(6);
    wanted.insert(metainfo.geometry().piece(4).expect("a piece"));
    let picker = Picker::new(Arc::clone(&metainfo), PieceSet::empty(6), wanted, &mut chance);
    let mut village = Village { metainfo, picker, chance };
    let all = village.stock(0..6);
    assert_eq!(village.finish(ANA, &all).get(), 4);
    assert!(village.picker.is_complete());
    assert_eq!(village.next(ANA, &all, PIECE), None);
}

#[test]
fn any_story_of_asks_answers_and_failures_ends_with_everything_held() {
    for seed in 0..60 {
        let mut village = Village::with_seed(24, seed);
        let stocks =
            [village.stock(0..24), village.stock((0..24).filter(|n| n % 2 == 0)), village.stock(0..5)];
        let (mut asked, mut written, mut steps) = (Vec::new(), Vec::new(), 0);
        while !village.picker.is_complete() {
            steps += 1;
            assert!(steps < 100_000, "seed {seed} never ends");
            let who = village.chance.below(3);
            let link = LinkId(who as u64);
            match village.chance.below(6) {
                0 | 1 => {
                    let bytes = LEAF_BYTES << village.chance.below(3);
                    let next = village.next(link, &stocks[who], bytes);
                    let next = next.or_else(|| village.picker.endgame(link, &stocks[who]));
                    asked.extend(next.map(|block| (link, block)));
                }
                2 if !asked.is_empty() => {
                    let (link, block) = asked.swap_remove(village.chance.below(asked.len()));
                    village.picker.release(link, block);
                }
                3 if !asked.is_empty() => {
                    let (link, block) = asked.swap_remove(village.chance.below(asked.len()));
                    if let Receipt::Taken(others) = village.receive(link, block) {
                        asked.retain(|(link, other)| *other != block || !others.contains(link));
                        written.push(block);
                    }
                }
                4 if !written.is_empty() => {
                    let block = written.swap_remove(village.chance.below(written.len()));
                    let done = village.chance.below(8) > 0;
                    let finish = village.picker.wrote(block, done);
                    assert_ne!(finish, Finish::Wrong);
                    let is_pending = written.iter().any(|other: &Block| other.piece == block.piece);
                    assert!(finish != Finish::Held || !is_pending, "held before all of it was written");
                }
                5 if village.chance.below(8) == 0 => {
                    let piece = village.chance.below(24);
                    let piece = village.piece(u32::try_from(piece).expect("few"));
                    village.picker.want_again(piece);
                    asked.retain(|(_, block)| block.piece != piece); // called off
                }
                _ => {}
            }
            village.picker.check();
        }
    }
}
