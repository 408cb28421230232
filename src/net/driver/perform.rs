//! Does what the core orders: each action is begun here and waited for elsewhere.

use super::Driver;
use crate::content::{Block, FileIndex};
use crate::ids::{Endpoint, LinkId, ShareId};
use crate::net::content::StoreError;
use crate::net::disk::Job;
use crate::net::jobs;
use crate::net::link::Letter;
use crate::net::shelf::Shelf;
use crate::seam::{Action, Event};

impl Driver {
    /// Performs `actions` in order; the empty list is kept for the next event.
    pub(super) fn perform(&mut self, mut actions: Vec<Action>) {
        actions.drain(..).for_each(|action| self.perform_one(action));
        self.actions = actions;
    }

    fn perform_one(&mut self, action: Action) {
        match action {
            Action::Dial { share, endpoint } => self.dial(share, endpoint),
            Action::Send { link, message } => self.post(link, Letter::Say(message)),
            Action::SendMetainfo { link, metainfo, start, length } => {
                self.post(link, Letter::Metainfo { metainfo, start, length });
            }
            Action::SendBlock { link, share, block } => {
                let store = self.shelf(share).store.clone();
                self.post(link, Letter::Block { share, store, block });
            }
            Action::SendLeaves { link, share, piece } => {
                let store = self.shelf(share).store.clone();
                self.post(link, Letter::Leaves { share, store, piece });
            }
            Action::Close { link, farewell } => {
                if let Some(link) = self.links.get(&link) {
                    link.close(farewell);
                }
            }
            Action::Prepare { share, metainfo } => {
                // A share without a plan is only to be described.
                if let Some(plan) = self.desk.plans.get(&share).cloned() {
                    let (checking, stopping) = (self.desk.checking.clone(), self.stopping.clone());
                    self.disk_jobs += 1;
                    self.work.spawn(jobs::prepare(share, plan, metainfo, checking, stopping));
                }
            }
            Action::Write { share, block } => self.write(share, block),
            Action::Keep { share, piece } => {
                self.shelf(share).keep(piece);
                self.keep_on(share);
            }
            Action::Remember { share, ban } => {
                if let Some(shelf) = self.shelves.get(&share) {
                    self.work.spawn(jobs::remember(shelf.store.clone(), ban));
                }
            }
            Action::Tell(news) => {
                let _ = self.desk.news.try_send(news); // may be lost, as the seam says
            }
        }
    }

    fn dial(&mut self, share: ShareId, endpoint: Endpoint) {
        if self.is_stopping() {
            self.echoes.push_back(Event::DialFailed { share, endpoint });
            return;
        }
        let seat = self.dials.clone().try_acquire_owned().ok();
        self.work.spawn(jobs::connect(share, endpoint, seat));
    }

    /// A link that closed of itself may still be spoken to until the core hears of it.
    fn post(&self, link: LinkId, letter: Letter) {
        if let Some(link) = self.links.get(&link) {
            link.post(letter);
        }
    }

    fn write(&mut self, share: ShareId, block: Block) {
        let bytes = self.hand.take().expect("the core writes what it was just given, once");
        let store = self.shelf(share).store.clone();
        self.disk_jobs += 1;
        self.disk.begin(Job::Write { share, store, block, bytes }, &mut self.work);
    }

    /// Counts the pieces that wait, unless those before them are being counted or moved.
    pub(super) fn keep_on(&mut self, share: ShareId) {
        let shelf = self.shelf(share);
        let store = shelf.store.clone();
        if let Some(pieces) = shelf.next_job() {
            self.disk_jobs += 1;
            self.disk.begin(Job::Count { share, store, pieces }, &mut self.work);
        }
    }

    /// Moves the files that became whole by what was counted.
    pub(super) fn counted(&mut self, share: ShareId, whole: Vec<FileIndex>) {
        if whole.is_empty() {
            self.shelf(share).is_keeping = false;
            return self.keep_on(share);
        }
        self.settle_files(share, whole);
    }

    /// Moves whole files into their place.
    pub(super) fn settle_files(&mut self, share: ShareId, whole: Vec<FileIndex>) {
        let store = self.shelf(share).store.clone();
        self.shelf(share).is_keeping = true;
        self.disk_jobs += 1;
        self.work.spawn(jobs::settle(store, share, whole, self.stopping.clone()));
    }

    pub(super) fn settled(&mut self, share: ShareId, outcome: Result<bool, StoreError>) {
        // What could not be moved is moved once the disk takes something again.
        let outcome = self.unless_spoiled(share, outcome);
        let outcome = self.unless_refused(share, outcome);
        self.shelf(share).is_keeping = false;
        if let Some(is_finished) = outcome {
            self.shelf(share).is_finished = is_finished;
            if is_finished {
                self.publish(); // whoever waits for it need not wait for the next view
            }
            self.keep_on(share);
        }
    }

    pub(super) fn shelf(&mut self, share: ShareId) -> &mut Shelf {
        self.shelves.get_mut(&share).expect("content is named only of a share that is held or prepared")
    }
}
