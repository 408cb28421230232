//! Processes that stand still for a while: what happens meanwhile, they are told all at once.

use std::collections::VecDeque;

use minibit::seam::Event;

use super::World;
use crate::machine::Pause;
use crate::queue::Seat;
use crate::tally::Kind;

impl World {
    /// A process stands still; what comes for it waits with its system.
    pub fn pause(&mut self, machine: usize, is_suspension: bool) {
        let since = self.now();
        let it = &mut self.machines[machine];
        if it.node.is_some() && it.pause.is_none() {
            it.pause = Some(Pause { since, is_suspension, backlog: VecDeque::new() });
            self.tally.fired(if is_suspension { Kind::Suspension } else { Kind::Pause });
        }
    }

    /// It goes on: what is due and what came meanwhile comes at once, either first.
    pub fn resume(&mut self, machine: usize) {
        let now = self.now();
        let it = &mut self.machines[machine];
        let Some(pause) = it.pause.take() else { return };
        if pause.is_suspension {
            it.clock.stood_still(pause.since, now);
        }
        let seat = Seat { machine, life: it.life };
        let moment = it.moment(now);
        let deadline = it.node.as_ref().and_then(minibit::node::Node::deadline);
        if deadline.is_some_and(|deadline| deadline <= moment) && self.chance.below(2) == 0 {
            self.tell(seat, Event::DeadlineReached);
        }
        pause.backlog.into_iter().for_each(|event| self.tell(seat, event));
        self.rewake(seat);
    }
}
