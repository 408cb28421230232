//! The beginning of a process in the swarm: who it is, where it listens, under which names others reach it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::exit::Failure;
use super::options::Advertised;
use crate::ids::{Endpoint, PeerId};
use crate::net;
use crate::net::driver::own_addresses;
use crate::node::NodeConfig;
use crate::wire::Role;

/// The most addresses of our own that go into a link.
const OWN_ENDPOINTS_MAX: usize = 8;

/// A bound listener and what it is called from outside.
#[derive(Debug)]
pub struct Place {
    /// Bound.
    pub listener: TcpListener,
    /// As bound.
    pub address: SocketAddr,
    /// Where others go: never empty, most likely first.
    pub endpoints: Vec<Endpoint>,
}

impl Place {
    /// Binds `address`. Others are told `advertised`, or the address itself, or this machine's own likely ones.
    pub fn bind(address: SocketAddr, advertised: &[Advertised]) -> Result<Place, Failure> {
        let listener = net::listen(address).map_err(|error| Failure::bind(&error))?;
        let address = listener.local_addr().map_err(|error| Failure::bind(&error))?;
        let endpoints = match advertised {
            [] => reachable(address).into_iter().map(|ip| Endpoint::at(ip, address.port())).collect(),
            _ => advertised.iter().map(|host| host.endpoint(address.port())).collect(),
        };
        Ok(Place { listener, address, endpoints })
    }

    /// The node that lives here, without limits; `program` is what it tells others it is.
    pub fn node(&self, program: &str, role: Role) -> NodeConfig {
        let advertised = self.endpoints.iter().filter_map(|endpoint| endpoint.host.parse().ok()).collect();
        let port = self.endpoints.first().map_or(self.address.port(), |endpoint| endpoint.port);
        NodeConfig { advertised, ..stranger(program, role, port) }
    }
}

/// A node that nobody need reach, chosen at random. `port` is what it states; 0 = nowhere.
pub fn stranger(program: &str, role: Role, port: u16) -> NodeConfig {
    NodeConfig {
        id: PeerId(rand::random()),
        port,
        agent: format!("{program}/{}", env!("CARGO_PKG_VERSION")),
        role,
        open: false,
        advertised: Vec::new(),
        limit_up: None,
        limit_down: None,
        seed: rand::random(),
    }
}

/// The addresses behind a bound one.
fn reachable(bound: SocketAddr) -> Vec<IpAddr> {
    if !bound.ip().is_unspecified() {
        return vec![bound.ip()];
    }
    let mut own: Vec<IpAddr> =
        own_addresses().into_iter().filter(|ip| bound.is_ipv6() || ip.is_ipv4()).collect();
    own.truncate(OWN_ENDPOINTS_MAX);
    if own.is_empty() {
        own.push(Ipv4Addr::LOCALHOST.into());
    }
    own
}
