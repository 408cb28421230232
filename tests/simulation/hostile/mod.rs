//! Peers that are scripts instead of production cores, and the stories of swarms that bear them. A script knows the whole
//! truth and nothing of any core: it sees only what is said to it.

mod blame;
mod chatter;
mod crowd;
mod floods;
mod habits;
mod lonely;
mod puppet;
mod rides;
mod village;

use std::fmt::Debug;
use std::net::IpAddr;

use minibit::chance::Chance;
use minibit::ids::{Endpoint, LinkId, PeerId};
use minibit::seam::Payload;
use minibit::wire::{Message, Role};

use crate::queue::Micros;
use crate::truth::Truth;

/// What a hostile peer says and when.
pub trait Script: Debug {
    /// The machine is switched on.
    fn begin(&mut self, hand: &mut Hand<'_>);

    /// A connection stands; nothing was said on it yet. `dialled` by this script, or by the other side.
    fn connected(&mut self, hand: &mut Hand<'_>, link: LinkId, dialled: bool);

    /// A message came.
    fn heard(&mut self, _hand: &mut Hand<'_>, _link: LinkId, _message: &Message, _payload: &Payload) {}

    /// A connection is gone.
    fn closed(&mut self, hand: &mut Hand<'_>, link: LinkId);

    /// The moment that it asked for with [`Hand::wake_after`].
    fn awake(&mut self, _hand: &mut Hand<'_>) {}
}

/// What a script does, in this order.
#[derive(Debug)]
pub enum Deed {
    /// Says this, with what follows it.
    Say(LinkId, Message, Payload),
    /// Sends this line, LF excluded, whatever it is.
    Scribble(LinkId, Vec<u8>),
    /// Dials, seen from this address.
    Dial(Endpoint, IpAddr),
    /// Closes without a word.
    Close(LinkId),
    /// Wants to be woken so much later.
    Wake(Micros),
}

/// What a script may see and do in one moment.
#[derive(Debug)]
pub struct Hand<'a> {
    /// Now.
    pub now: Micros,
    /// The share.
    pub truth: &'a Truth,
    /// Its own chance.
    pub chance: &'a mut Chance,
    /// Its machine's own address.
    pub own: std::net::SocketAddr,
    /// What it does.
    pub deeds: Vec<Deed>,
}

impl Hand<'_> {
    /// Says something that carries nothing.
    pub fn say(&mut self, link: LinkId, message: Message) {
        self.deeds.push(Deed::Say(link, message, Payload::None));
    }

    /// Says who it is.
    pub fn introduce(&mut self, link: LinkId, id: PeerId, port: u16) {
        let (share, agent) = (self.truth.share(), "script/1".to_owned());
        self.say(link, Message::Register { id, share, port, agent, role: Role::Peer, goal: None });
    }

    /// Says that it is somebody new, who accepts no connections and holds these pieces.
    pub fn arrive(&mut self, link: LinkId, held: Vec<[u64; 2]>) -> PeerId {
        let id = self.any_id();
        self.introduce(link, id, 0);
        self.say(link, Message::Stock { all: Some(held), more: None });
        id
    }

    /// Says something with what follows it.
    pub fn give(&mut self, link: LinkId, message: Message, payload: Payload) {
        self.deeds.push(Deed::Say(link, message, payload));
    }

    /// Sends a line that may be anything.
    pub fn scribble(&mut self, link: LinkId, line: &[u8]) {
        self.deeds.push(Deed::Scribble(link, line.to_vec()));
    }

    /// Dials from the machine's own address.
    pub fn dial(&mut self, endpoint: &Endpoint) {
        self.deeds.push(Deed::Dial(endpoint.clone(), self.own.ip()));
    }

    /// Dials from another address.
    pub fn dial_from(&mut self, endpoint: &Endpoint, from: IpAddr) {
        self.deeds.push(Deed::Dial(endpoint.clone(), from));
    }

    /// Closes.
    pub fn close(&mut self, link: LinkId) {
        self.deeds.push(Deed::Close(link));
    }

    /// To be woken so much later; the last word counts.
    pub fn wake_after(&mut self, span: Micros) {
        self.deeds.push(Deed::Wake(span));
    }

    /// An id that nobody has.
    pub fn any_id(&mut self) -> PeerId {
        let mut id = [0; 20];
        id.fill_with(|| self.chance.draw().to_le_bytes()[0]);
        PeerId(id)
    }
}
