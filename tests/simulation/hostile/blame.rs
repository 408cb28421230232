//! Poison: whatever liars send, and whenever, the honest finish with right bytes, and nobody honest is banned.

use super::habits::{Answers, Blocks, Claims, Habits, When};
use super::puppet::Puppet;
use super::village::{KIB, MIB, finish, honest, puppet, seeded, seeds};
use crate::machine::Spec;
use crate::queue::{MINUTE, SECOND};
use crate::world::World;

const RATE: u64 = 1_000_000;
/// Eight leaves, so that a piece often comes from several.
const PIECE_BYTES: u32 = 128 * 1024;

/// A liar of some kind, drawn from the world's chance.
fn some_poisoner(world: &mut World) -> Habits {
    let chance = &mut world.chance;
    let whens = [
        When::Percent(100),
        When::Percent(50),
        When::Percent(10),
        When::Percent(1),
        When::Late,
        When::Shared,
        When::After(3),
    ];
    let answers = [Answers::True, Answers::False, Answers::Nothing, Answers::Silence];
    Habits {
        claims: Claims::Everything,
        blocks: Blocks::False(whens[chance.below(whens.len())]),
        leaves: answers[chance.below(answers.len())],
        metainfo: answers[chance.below(answers.len())],
        ..Habits::default()
    }
}

/// Eight honest peers and eight poisoners, and a seed. The checker sees to every byte and to every ban.
fn half_of_sixteen_poison(seed: u64) -> World {
    let mut world = seeded(seed, MIB + 16 * KIB * (seed % 5), PIECE_BYTES, RATE);
    for _ in 0..8 {
        let habits = some_poisoner(&mut world);
        puppet(&mut world, habits, RATE);
    }
    let machines = honest(&mut world, 8, RATE);
    finish(&mut world, &machines, 10 * MINUTE);
    world
}

fn bans(world: &World) -> usize {
    (0..world.machines.len()).map(|machine| world.checker.book(machine).banned.len()).sum()
}

fn tell(seeds: std::ops::Range<u64>) {
    let mut banned = 0;
    let mut failed = Vec::new();
    for seed in seeds {
        match std::panic::catch_unwind(|| bans(&half_of_sixteen_poison(seed))) {
            Ok(count) => banned += count,
            Err(_) => failed.push(seed),
        }
    }
    assert!(failed.is_empty(), "these seeds tell of a wrong, each by MINIBIT_SEED: {failed:?}");
    assert!(banned > 0, "nobody was ever banned");
    println!("{banned} bans of poisoners");
}

#[test]
fn half_of_sixteen_poison_and_all_the_honest_finish_and_none_of_them_is_banned() {
    tell(seeds(24));
}

/// `cargo test --release --test simulation -- --ignored a_thousand_times`
#[test]
#[ignore = "minutes"]
fn half_of_sixteen_poison_a_thousand_times_over() {
    tell(seeds(1_000));
}

#[test]
fn a_poisoner_that_copies_the_id_of_an_honest_peer_is_banned_alone() {
    for seed in seeds(3) {
        let mut world = seeded(seed, 2 * MIB, PIECE_BYTES, RATE / 8);
        let machines = honest(&mut world, 4, RATE);
        world.pass(SECOND);
        let victim = world.view(0).peers[0].id;
        let habits = Habits { blocks: Blocks::False(When::Percent(100)), ..Habits::default() };
        let liar = Puppet::new(habits, vec![world.endpoint(0)]).named(victim);
        world.intrude(Spec { up_rate: RATE, ..Spec::peer(Vec::new()) }, Box::new(liar));
        finish(&mut world, &machines, 10 * MINUTE);
        assert!(bans(&world) > 0, "nobody banned the one who copied {victim}");
    }
}
