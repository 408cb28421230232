//! What the model promises, on lines of a megabyte a second.

use super::*;

const MEGABYTE: u64 = 1_000_000;
const FAST: u64 = 1_000 * MEGABYTE;

struct Lab {
    network: Network<&'static str>,
    queue: Queue<Due<&'static str>>,
    left: Vec<(Micros, &'static str)>,
    landed: Vec<(Micros, &'static str)>,
}

impl Lab {
    /// Machines of these rates up and down, ten milliseconds from the middle.
    fn of(rates: &[(u64, u64)]) -> Lab {
        let mut network = Network::new();
        rates.iter().for_each(|(up, down)| network.join(*up, *down, 10_000));
        Lab { network, queue: Queue::default(), left: Vec::new(), landed: Vec::new() }
    }

    fn say(&mut self, lane: LaneId, bytes: u64, frame: &'static str) {
        self.network.send(&mut self.queue, lane, bytes, frame);
    }

    fn run(&mut self) {
        while let Some(due) = self.queue.next(Micros::MAX) {
            let now = self.queue.now();
            match due {
                Due::Uplinked(machine) => {
                    let left = &mut self.left;
                    self.network.uplinked(&mut self.queue, machine, |_, frame| left.push((now, *frame)));
                }
                Due::Released(machine) => self.network.released(&mut self.queue, machine),
                Due::Landed(_, frame) => self.landed.push((now, frame)),
                Due::Alive(_) => {}
            }
        }
    }

    fn landed(&self, frame: &str) -> Micros {
        self.landed.iter().find(|(_, landed)| *landed == frame).expect("it landed").0
    }

    fn order(&self) -> Vec<&'static str> {
        self.landed.iter().map(|(_, frame)| *frame).collect()
    }
}

fn near(value: Micros, expected: u64) -> bool {
    value.abs_diff(expected) < expected / 50
}

/// A megabyte with its headers at a megabyte a second, then two legs of ten milliseconds.
const ALONE: Micros = 1_045_580 + 20_000;

#[test]
fn a_flow_alone_has_the_whole_uplink_and_then_the_delay() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (FAST, FAST)]);
    let lane = lab.network.connect(0, 1);
    lab.say(lane, MEGABYTE, "a");
    lab.run();
    assert!(near(lab.left[0].0, ALONE - 20_000), "{:?}", lab.left);
    assert!(near(lab.landed("a"), ALONE), "{:?}", lab.landed);
}

#[test]
fn a_third_short_message_goes_along_with_the_second_while_both_wait_to_leave() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (FAST, FAST)]);
    let lane = lab.network.connect(0, 1);
    ["a", "b", "c"].into_iter().for_each(|word| lab.say(lane, 100, word));
    assert_eq!(lab.network.sent_bytes(0), 3 * 100 + 2 * HEADER_BYTES);
    lab.run();
    assert_eq!(lab.order(), ["a", "b", "c"]);
    lab.say(lane, 100, "later");
    assert_eq!(lab.network.sent_bytes(0), 4 * 100 + 3 * HEADER_BYTES);
    (0..20).for_each(|_| lab.say(lane, 100, "more"));
    let packets = 4 + 100 * 20 / PACKET_PAYLOAD_BYTES;
    assert!(
        lab.network.sent_bytes(0) >= 24 * 100 + packets * HEADER_BYTES,
        "a packet holds no more than that"
    );
    assert!(lab.network.sent_bytes(0) < 24 * 100 + 8 * HEADER_BYTES);
}

#[test]
fn two_flows_share_an_uplink_equally() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (FAST, FAST), (FAST, FAST)]);
    let lanes = [lab.network.connect(0, 1), lab.network.connect(0, 2)];
    lab.say(lanes[0], MEGABYTE, "a");
    lab.say(lanes[1], 2 * MEGABYTE, "b");
    lab.run();
    assert!(near(lab.landed("a"), 2 * (ALONE - 20_000) + 20_000), "{:?}", lab.landed);
    assert!(near(lab.landed("b"), 3 * (ALONE - 20_000) + 20_000), "{:?}", lab.landed);
}

#[test]
fn a_downlink_limits_what_two_uplinks_send() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (MEGABYTE, FAST), (FAST, MEGABYTE)]);
    let lanes = [lab.network.connect(0, 2), lab.network.connect(1, 2)];
    lanes.iter().zip(["a", "b"]).for_each(|(lane, name)| lab.say(*lane, MEGABYTE, name));
    lab.run();
    let last = lab.landed("a").max(lab.landed("b"));
    assert!(near(last, 2 * (ALONE - 20_000) + 20_000), "{:?}", lab.landed);
}

#[test]
fn a_slow_receiver_does_not_keep_an_uplink_from_the_others() {
    let mut lab = Lab::of(&[(2 * MEGABYTE, FAST), (FAST, MEGABYTE / 10), (FAST, FAST)]);
    let lanes = [lab.network.connect(0, 1), lab.network.connect(0, 2)];
    lab.say(lanes[0], MEGABYTE, "slow");
    lab.say(lanes[1], MEGABYTE, "fast");
    lab.run();
    // Beside a stream of a tenth of a megabyte, the other has what is left.
    assert!(lab.landed("fast") < ALONE * 6 / 10, "{:?}", lab.landed);
    assert!(near(lab.landed("slow"), 10 * (ALONE - 20_000)), "{:?}", lab.landed);
}

#[test]
fn a_lane_keeps_its_order_and_a_quiet_one_overtakes() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (FAST, FAST), (FAST, FAST)]);
    let lanes = [lab.network.connect(0, 1), lab.network.connect(0, 2)];
    lab.say(lanes[0], MEGABYTE, "block");
    lab.say(lanes[0], 50, "behind");
    lab.say(lanes[1], 50, "beside");
    lab.run();
    assert_eq!(lab.order(), ["beside", "block", "behind"]);
    assert!(lab.landed("beside") >= 100_000, "it stands in the router's queue: {:?}", lab.landed);
}

#[test]
fn a_word_between_idle_machines_takes_the_delay() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (FAST, FAST)]);
    let lane = lab.network.connect(0, 1);
    lab.say(lane, 34, "have");
    lab.run();
    assert_eq!(lab.landed, [(20_100, "have")]);
}

#[test]
fn what_waits_in_vain_is_dropped_at_the_close_and_the_last_word_is_heard() {
    let mut lab = Lab::of(&[(MEGABYTE, FAST), (FAST, FAST)]);
    let lane = lab.network.connect(0, 1);
    ["begun", "vain", "word"].into_iter().for_each(|frame| lab.say(lane, 100_000, frame));
    lab.network.close(&mut lab.queue, lane, vec![(40, "end")], |frame| *frame != "word");
    lab.say(lane, 40, "too late");
    lab.run();
    assert_eq!(lab.order(), ["begun", "word", "end"]);
    assert_eq!(lab.network.lines[0].waiting_bytes, 0);
}
