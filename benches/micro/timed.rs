//! What single calls cost in time. `cargo bench -p minibit-micro --bench timed -- NAME` measures only what has that in its name.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use criterion::{Criterion, Throughput};
use minibit::chance::Chance;
use minibit::content::{LEAF_BYTES, merkle};
use minibit::ids::{LinkId, PeerId};
use minibit::swarm::bench::Choosing;
use minibit::time::Moment;
use minibit::tracker::Register;
use minibit::wire::{Message, decode, encode};
use minibit_micro::{GIB_LEAVES, Market, PEERS, PIECES, block, digests, line, request, stock};

/// Bytes of the block that is hashed leaf by leaf.
const BLOCK_BYTES: u32 = 16 * LEAF_BYTES;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    frames(&mut criterion);
    leaves(&mut criterion);
    roots(&mut criterion);
    picker(&mut criterion);
    choker(&mut criterion);
    register(&mut criterion);
    criterion.final_summary();
}

/// Lines to messages and back.
fn frames(criterion: &mut Criterion) {
    let messages: [(&str, Message); 3] = [("PEDIDO", request()), ("BLOCO", block()), ("ESTOQUE", stock())];
    let mut group = criterion.benchmark_group("frame");
    for (name, message) in &messages {
        let line = line(message);
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(format!("decode {name}, {} bytes", line.len()), |bencher| {
            bencher.iter(|| decode(black_box(&line)));
        });
        let mut out = Vec::new();
        group.bench_function(format!("encode {name}, {} bytes", line.len()), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(black_box(message), &mut out);
            });
        });
    }
}

/// The receive path: one leaf, and a block leaf by leaf.
fn leaves(criterion: &mut Criterion) {
    let bytes: Vec<u8> = (0..BLOCK_BYTES).map(|number| number.to_le_bytes()[1]).collect();
    let leaf_bytes = LEAF_BYTES as usize;
    let mut group = criterion.benchmark_group("receive");
    group.throughput(Throughput::Bytes(u64::from(LEAF_BYTES)));
    group.bench_function("a leaf of 16 KiB", |bencher| {
        bencher.iter(|| merkle::leaf(black_box(&bytes[..leaf_bytes])));
    });
    group.throughput(Throughput::Bytes(u64::from(BLOCK_BYTES)));
    group.bench_function("a block of 256 KiB, leaf by leaf", |bencher| {
        bencher.iter(|| black_box(&bytes).chunks(leaf_bytes).map(merkle::leaf).collect::<Vec<_>>());
    });
}

/// Merkle roots from leaves that are hashed already.
fn roots(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("root");
    for (name, count) in [("of 64 leaves", 64), ("of a file of 1 GiB", GIB_LEAVES)] {
        let leaves = digests(count);
        group.bench_function(name, |bencher| {
            bencher.iter(|| merkle::root(black_box(&leaves), leaves.len()));
        });
    }
}

/// 100,000 pieces and 200 peers that each hold a random half.
fn picker(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("picker");
    let (mut market, mut turn) = (Market::new(PIECES, PEERS), 0);
    group.bench_function("a block is chosen and given back", |bencher| {
        bencher.iter(|| {
            turn += 1;
            market.pick(turn)
        });
    });
    group.bench_function("a piece is announced and lost", |bencher| {
        bencher.iter(|| {
            turn += 1;
            market.announce(turn);
        });
    });
}

/// 200 peers.
fn choker(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choker");
    let mut choosing = Choosing::new(PEERS, 1);
    group.bench_function("a round of 200 peers", |bencher| bencher.iter(|| choosing.next_round()));
    group.bench_function("a look between rounds", |bencher| bencher.iter(|| choosing.at_once()));
}

/// A newcomer's registration, its list and its news, among few and many; it leaves again at once.
fn register(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("register");
    for peers in [1_000_u32, 10_000, 100_000] {
        let mut register = Register::new(Vec::new(), Moment::START, Chance::new(1));
        let join = |register: &mut Register, number: u32| {
            let mut id = [0; 20];
            id[..4].copy_from_slice(&number.to_be_bytes());
            let host = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + number));
            register.join(Moment::START, LinkId(u64::from(number)), PeerId(id), host, 6881)
        };
        (0..peers).for_each(|number| drop(join(&mut register, number)));
        group.bench_function(format!("a newcomer among {peers}"), |bencher| {
            bencher.iter(|| {
                let welcome = join(&mut register, peers);
                register.leave(Moment::START, LinkId(u64::from(peers)), true);
                welcome
            });
        });
    }
}
