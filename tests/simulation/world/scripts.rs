//! How the world plays a machine that is a script instead of a production core.

use std::net::IpAddr;

use minibit::ids::{Endpoint, LinkId};
use minibit::seam::{Event, Payload};
use minibit::wire::{Message, encode};

use super::World;
use crate::hostile::{Deed, Hand, Script};
use crate::machine::{Lies, Spec};
use crate::network::Frame;
use crate::queue::{Happening, Seat};

impl World {
    /// One machine more, switched on, that is this script; its number. Of `spec` only the connection counts.
    pub fn intrude(&mut self, spec: Spec, script: Box<dyn Script>) -> usize {
        let number = self.join(Spec { shares: Vec::new(), lies: Some(Lies::default()), ..spec });
        let now = self.now();
        self.machines[number].start(now);
        self.machines[number].node = None;
        self.machines[number].script = Some(script);
        self.checker.is_script(number, self.machines[number].address.ip());
        self.play(Seat { machine: number, life: 1 }, |script, hand| script.begin(hand));
        number
    }

    /// What happens to a script.
    pub(super) fn befall(&mut self, seat: Seat, event: &Event) {
        if let Event::Closed { link } = event {
            self.machines[seat.machine].links.remove(link);
        }
        self.play(seat, |script, hand| match event {
            Event::Connected { link, dialled, .. } => script.connected(hand, *link, dialled.is_some()),
            Event::Received { link, message, payload } => script.heard(hand, *link, message, payload),
            Event::Closed { link } => script.closed(hand, *link),
            Event::DeadlineReached => script.awake(hand),
            _ => {}
        });
    }

    fn play(&mut self, seat: Seat, act: impl FnOnce(&mut dyn Script, &mut Hand<'_>)) {
        let (now, machine) = (self.now(), &mut self.machines[seat.machine]);
        let Some(mut script) = machine.script.take() else { return };
        let (truth, own) = (&self.truths[0], machine.address);
        let mut hand = Hand { now, truth, chance: &mut machine.chance, own, deeds: Vec::new() };
        act(script.as_mut(), &mut hand);
        let deeds = hand.deeds;
        machine.script = Some(script);
        deeds.into_iter().for_each(|deed| self.perform_deed(seat, deed));
    }

    fn perform_deed(&mut self, seat: Seat, deed: Deed) {
        match deed {
            Deed::Say(link, message, payload) => self.utter(seat, link, spoken(&message, payload)),
            Deed::Scribble(link, mut line) => {
                line.push(b'\n');
                let bytes = line.len() as u64;
                self.utter(seat, link, Frame { line, payload: Payload::None, bytes, block: None });
            }
            Deed::Dial(endpoint, from) => self.intrude_on(seat, &endpoint, from),
            Deed::Close(link) => {
                if let Some(tip) = self.machines[seat.machine].links.get(&link).copied() {
                    self.network.close(&mut self.queue, tip, None);
                }
            }
            Deed::Wake(span) => {
                let at = self.now() + span;
                self.machines[seat.machine].wake = Some(at);
                self.queue.at(at, Happening::Wake(seat));
            }
        }
    }

    fn utter(&mut self, seat: Seat, link: LinkId, frame: Frame) {
        if let Some(tip) = self.machines[seat.machine].links.get(&link).copied() {
            self.network.send(&mut self.queue, tip, frame);
        }
    }

    /// A script's dial to a production core, seen from an address of its choice; to nobody else.
    fn intrude_on(&mut self, seat: Seat, endpoint: &Endpoint, from: IpAddr) {
        let to = self.machines.iter().position(|machine| machine.endpoint() == *endpoint);
        if let Some(to) = to.filter(|&to| self.machines[to].is_reachable() && to != seat.machine) {
            self.stand(seat, to, from, (self.truths[0].share(), endpoint.clone()));
        }
    }
}

fn spoken(message: &Message, payload: Payload) -> Frame {
    let mut line = Vec::new();
    encode(message, &mut line);
    let bytes = line.len() as u64 + u64::from(message.payload_bytes());
    Frame { line, payload, bytes, block: None }
}
