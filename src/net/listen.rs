//! Where this process can be reached: the listening socket, and the machine's own addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// The most addresses of its own that a machine puts into a link.
const OWN_ADDRESSES_MAX: usize = 8;
/// What the networks of containers and virtual machines are called: nobody outside reaches them.
const BRIDGES: [&str; 5] = ["docker", "br-", "virbr", "veth", "lxcbr"];

/// Binds `addr`; an unspecified IPv6 address takes IPv4 too. Errors name the address.
///
/// On a machine without IPv6, `[::]` becomes `0.0.0.0`. Must be called within a runtime.
pub fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let fallback = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port());
    let is_any_v6 = addr.is_ipv6() && addr.ip().is_unspecified();
    match bind(addr) {
        Err(error) if is_any_v6 && lacks_ipv6(&error) => {
            bind(fallback).map_err(|error| explain(fallback, &error))
        }
        bound => bound.map_err(|error| explain(addr, &error)),
    }
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn lacks_ipv6(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

/// One line that says what is wrong, and not by number.
fn explain(addr: SocketAddr, error: &io::Error) -> io::Error {
    let port = addr.port();
    let text = match error.kind() {
        io::ErrorKind::AddrInUse => format!("port {port} is in use ({addr})"),
        io::ErrorKind::PermissionDenied => {
            format!(
                "port {port} needs more rights than this program has ({addr}): choose one from 1024 with --listen"
            )
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{addr} is no address of this machine: choose another with --listen")
        }
        _ => format!("cannot listen on {addr}: {error}"),
    };
    io::Error::new(error.kind(), text)
}

/// This machine's own likely addresses, for a link: no loopback unless nothing else, no link-local, no bridges.
/// IPv4 first; at most 8.
pub fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    choose(interfaces.into_iter().map(|interface| (interface.ip(), interface.name)))
}

fn choose(interfaces: impl Iterator<Item = (IpAddr, String)>) -> Vec<IpAddr> {
    let is_bridge = |name: &str| BRIDGES.iter().any(|bridge| name.starts_with(bridge));
    let usable = interfaces.filter(|(ip, name)| !is_bridge(name) && !is_link_local(*ip));
    let (loopback, mut own): (Vec<IpAddr>, Vec<IpAddr>) =
        usable.map(|(ip, _)| ip).partition(IpAddr::is_loopback);
    if own.is_empty() {
        own = loopback;
    }
    own.sort_by_key(IpAddr::is_ipv6); // stable: within a family, the system's own order
    own.truncate(OWN_ADDRESSES_MAX);
    own
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    fn at(ip: &str, name: &str) -> (IpAddr, String) {
        (ip.parse().unwrap(), name.to_owned())
    }

    #[test]
    fn bridges_link_local_and_loopback_are_nobodys_way_in() {
        let found = [
            at("127.0.0.1", "lo"),
            at("fd00::7", "eth0"),
            at("172.17.0.1", "docker0"),
            at("fe80::1", "eth0"),
            at("169.254.3.4", "eth1"),
            at("192.168.1.5", "eth0"),
            at("172.18.0.1", "br-0123456789ab"),
            at("10.0.0.9", "veth12"),
        ];
        let expected: [IpAddr; 2] = ["192.168.1.5".parse().unwrap(), "fd00::7".parse().unwrap()];
        assert_eq!(choose(found.into_iter()), expected);
    }

    #[test]
    fn a_machine_with_nothing_else_has_its_loopback_ipv4_first() {
        let found = [at("::1", "lo"), at("127.0.0.1", "lo"), at("172.17.0.1", "docker0")];
        let expected: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(choose(found.into_iter()), expected);
    }

    #[tokio::test]
    async fn an_unspecified_ipv6_address_takes_ipv4_too() {
        let listener = listen("[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_said_in_words() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = first.local_addr().unwrap();
        let text = listen(addr).unwrap_err().to_string();
        assert_eq!(text, format!("port {} is in use ({addr})", addr.port()));
    }
}
