//! What the world says of itself: standings for a failed story, and the last checks of a finished one.

use minibit::seam::ShareView;

use super::World;
use crate::machine::Begin;
use crate::tally::Tally;

impl World {
    /// One line for each of the first machines that are not complete, and how many are.
    pub fn standings(&self) -> String {
        let (complete, others): (Vec<usize>, Vec<usize>) =
            (0..self.machines.len()).partition(|&machine| self.checker.is_complete(machine));
        let lines: String = others.into_iter().take(12).map(|machine| self.standing(machine)).collect();
        format!("{} complete;{lines}", complete.len())
    }

    fn standing(&self, machine: usize) -> String {
        let it = &self.machines[machine];
        let held: Vec<usize> =
            self.truths.iter().map(|truth| self.checker.held(machine, truth.share()).len()).collect();
        let pieces: Vec<usize> = self.truths.iter().map(|truth| truth.leaves.len()).collect();
        let state = if it.node.is_some() { "up" } else { "down" };
        let (linked, lies) = (self.checker.linked(machine), it.spec.lies.is_some());
        format!(
            "\n  machine {machine} {state} holds {held:?} of {pieces:?}, liar {lies}, links with {linked:?}"
        )
    }

    /// All faults that took effect.
    pub fn tally(&self) -> Tally {
        let mut all = self.tally.clone();
        all.add(&self.network.weather.tally);
        self.machines.iter().for_each(|machine| all.add(&machine.disk.tally));
        all
    }

    /// The first share as a machine's core shows it.
    pub fn view(&self, machine: usize) -> ShareView {
        let it = &self.machines[machine];
        let node = it.node.as_ref().expect("a machine that is up");
        node.view(it.moment(self.now())).into_iter().next().expect("a machine with a share")
    }

    /// When all is quiet: the checker's last look, and cores that show what is so.
    pub fn assert_at_rest(&self) {
        for machine in (0..self.machines.len()).filter(|&machine| self.machines[machine].node.is_some()) {
            if self.machines[machine].spec.lies.is_none() {
                self.checker.at_rest(machine);
                self.machines[machine].node.iter().for_each(minibit::node::Node::check);
                self.assert_view(machine);
            }
        }
    }

    /// A core shows what the checker knows; who wants nothing more says nothing of being complete.
    fn assert_view(&self, machine: usize) {
        let it = &self.machines[machine];
        let node = it.node.as_ref().expect("looked at by the caller");
        let wants = it.spec.shares.iter().any(|(_, begin)| matches!(begin, Begin::Linked | Begin::Described));
        for view in node.view(it.moment(self.now())) {
            let held = self.checker.held(machine, view.share);
            let shown = view.held.as_ref().map_or(0, minibit::content::PieceSet::count) as usize;
            assert_eq!(shown, held.len(), "machine {machine} shows another number of pieces than it holds");
            let is_shown = view.complete && view.done_bytes == view.total_bytes;
            let is_cut_off = self.checker.has_banned_the_honest(machine);
            assert!(!wants || is_shown || is_cut_off, "machine {machine} has everything and does not say so");
        }
    }
}
