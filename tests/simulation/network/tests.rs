//! Proof that the network takes its time, keeps its order and loses what it should.

use super::*;
use minibit::ids::ShareId;

fn two(up_rate: u64) -> (Queue, Network, Tip) {
    let (mut queue, mut network) = (Queue::default(), Network::default());
    network.join(up_rate, 1_000_000_000, 5_000);
    network.join(up_rate, 1_000_000_000, 5_000);
    let seat = |machine| Seat { machine, life: 1 };
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let ends = [(seat(0), LinkId(1), address(1)), (seat(1), LinkId(1), address(2))];
    let endpoint = Endpoint { host: "10.0.0.2".to_owned(), port: 7000 };
    let tip = network.connect(&mut queue, ends, (ShareId([0; 32]), endpoint));
    (queue, network, tip)
}

fn frame(bytes: u64) -> Frame {
    Frame { line: b"{}\n".to_vec(), payload: Payload::None, bytes, block: None }
}

/// Sizes of the frames that land before `end`, with their moments, and the links that were closed.
fn play(queue: &mut Queue, network: &mut Network, end: Micros) -> (Vec<(Micros, u64)>, usize) {
    let (mut landed, mut closed) = (Vec::new(), 0);
    while let Some(happening) = queue.next(end) {
        match happening {
            Happening::Uplinked(machine) => network.uplinked(queue, machine),
            Happening::Arrived(tip, bytes, frame) => network.arrived(queue, tip, bytes, frame),
            Happening::Landed(tip, frame) => {
                landed.extend(network.landed(queue, tip, frame).map(|frame| (queue.now(), frame.bytes)));
            }
            Happening::CloseDue(tip) => network.close_due(queue, tip),
            Happening::Core(_, Event::Closed { .. }) => closed += 1,
            _ => {}
        }
    }
    (landed, closed)
}

#[test]
fn a_frame_takes_its_bytes_over_the_rate_and_the_delay() {
    let (mut queue, mut network, tip) = two(100_000);
    network.send(&mut queue, tip, frame(50_000));
    let (landed, _) = play(&mut queue, &mut network, SECOND);
    assert_eq!(landed.len(), 1);
    assert!((510_000..512_000).contains(&landed[0].0), "half a second and ten milliseconds: {landed:?}");
}

#[test]
fn frames_of_one_lane_keep_their_order() {
    let (mut queue, mut network, tip) = two(1_000_000);
    (0..5).for_each(|extra| network.send(&mut queue, tip, frame(40_000 - 9_000 * extra)));
    let (landed, _) = play(&mut queue, &mut network, SECOND);
    let sizes: Vec<u64> = landed.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(sizes, [40_000, 31_000, 22_000, 13_000, 4_000]);
}

#[test]
fn the_farewell_arrives_before_the_end_and_each_side_is_told_once() {
    let (mut queue, mut network, tip) = two(1_000_000);
    network.close(&mut queue, tip, Some(frame(100)));
    let (landed, closed) = play(&mut queue, &mut network, 10 * SECOND);
    assert_eq!((landed.len(), closed), (1, 2));
}

#[test]
fn a_cut_wire_loses_what_is_under_way_and_tells_each_side_once() {
    let (mut queue, mut network, tip) = two(100_000);
    network.send(&mut queue, tip, frame(50_000));
    play(&mut queue, &mut network, SECOND / 10);
    network.cut(&mut queue, tip);
    network.cut(&mut queue, tip);
    assert_eq!(play(&mut queue, &mut network, 10 * SECOND), (Vec::new(), 2));
}
