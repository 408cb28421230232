//! Where the processes run: all on loopback, or each in a network namespace of its own, with lines as narrow as wanted.

mod namespaces;

use std::ffi::OsStr;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::job::Shape;
use namespaces::Namespaces;

/// Which kind of lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Everyone on 127.0.0.1, each its own ports
    Lo,
    /// A network namespace each, joined by a bridge
    Ns,
}

impl Kind {
    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Lo => "lo",
            Kind::Ns => "ns",
        }
    }
}

/// One process's place: number 0 is the seed's.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Which.
    pub number: usize,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Free, for its peers.
    pub port: u16,
    /// Free, for its person.
    pub control_port: u16,
}

/// A lab. Whatever was made for it is taken down when it is dropped.
#[derive(Debug)]
pub enum Lab {
    /// Loopback.
    Lo,
    /// Namespaces.
    Ns(Namespaces),
}

impl Lab {
    /// A lab for `seats` processes. Errors: it cannot be made here.
    pub fn open(kind: Kind, seats: usize, shape: Option<Shape>) -> Result<Lab> {
        match kind {
            Kind::Lo if shape.is_some() => bail!("loopback has no narrow lines: --lab ns"),
            Kind::Lo => Ok(Lab::Lo),
            Kind::Ns => Ok(Lab::Ns(Namespaces::make(seats, shape)?)),
        }
    }

    /// The delay of one way that its lines have.
    pub fn delay_ms(&self) -> u32 {
        match self {
            Lab::Lo => 0,
            Lab::Ns(namespaces) => namespaces.delay_ms,
        }
    }

    /// The place of process `number`, with two ports that were free a moment ago.
    pub fn seat(&self, number: usize) -> Result<Seat> {
        let ip = match self {
            Lab::Lo => Ipv4Addr::LOCALHOST,
            Lab::Ns(_) => namespaces::address(number),
        };
        let (port, control_port) = match self {
            Lab::Lo => free_ports().context("no free port on loopback")?,
            Lab::Ns(_) => (21_000, 22_000),
        };
        Ok(Seat { number, ip, port, control_port })
    }

    /// A command that will run at this place.
    pub fn command(&self, number: usize, program: &OsStr) -> Command {
        match self {
            Lab::Lo => Command::new(program),
            Lab::Ns(namespaces) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", &namespaces.name(number)]).arg(program);
                command
            }
        }
    }

    /// Does `act` in the network of this place, on a thread of its own.
    pub fn inside<T: Send>(&self, number: usize, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        match self {
            Lab::Lo => act(),
            Lab::Ns(namespaces) => namespaces.inside(number, act),
        }
    }
}

fn free_ports() -> Result<(u16, u16)> {
    let any = || TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0));
    let (one, other) = (any()?, any()?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}
