//! From how far an address makes sense, and so to whom it may be passed on; and which addresses are had together.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From how far an address makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// This site: RFC 1918, RFC 4193, link-local and shared (RFC 6598) ranges.
    Private,
    /// Anywhere.
    Global,
}

impl Scope {
    /// The scope of an unmapped address.
    pub fn of(ip: IpAddr) -> Scope {
        let is_private = match ip {
            IpAddr::V4(v4) => {
                v4.is_private()
                    || v4.is_link_local()
                    || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
            }
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        };
        match ip {
            _ if ip.is_loopback() => Scope::Loopback,
            _ if is_private => Scope::Private,
            _ => Scope::Global,
        }
    }

    /// Whether an address of this scope means something to somebody seen from `viewer`.
    pub fn is_known_to(self, viewer: Scope) -> bool {
        viewer <= self
    }
}

/// What one customer has for itself: an IPv4 address, or 64 bits of an IPv6 one.
pub fn host(ip: IpAddr) -> IpAddr {
    masked(ip, 32, 64)
}

/// What is had cheaply together: 24 bits of an IPv4 address, 48 of an IPv6 one.
pub fn network(ip: IpAddr) -> IpAddr {
    masked(ip, 24, 48)
}

fn masked(ip: IpAddr, bits_4: u32, bits_6: u32) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - bits_4))).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - bits_6))).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_sixty_four_bits_of_addresses_is_one() {
        let of = |text: &str| text.parse().expect("an address");
        assert_eq!(host(of("2001:db8:1:2::1")), host(of("2001:db8:1:2:ffff::9")));
        assert_ne!(host(of("2001:db8:1:2::1")), host(of("2001:db8:1:3::1")));
        assert_eq!(network(of("2001:db8:1:2::1")), network(of("2001:db8:1:3::1")));
    }

    #[test]
    fn an_address_is_passed_on_only_to_the_same_or_a_narrower_scope() {
        use Scope::{Global, Loopback, Private};
        let of = |text: &str| Scope::of(text.parse().expect("an address"));
        assert_eq!(
            [of("127.0.0.1"), of("10.1.1.1"), of("100.64.0.1"), of("8.8.8.8")],
            [Loopback, Private, Private, Global]
        );
        assert_eq!(
            [of("::1"), of("fd00::1"), of("fe80::1"), of("2001:db8::1")],
            [Loopback, Private, Private, Global]
        );
        assert!(Loopback.is_known_to(Loopback) && !Loopback.is_known_to(Private));
        assert!(
            Private.is_known_to(Loopback) && Private.is_known_to(Private) && !Private.is_known_to(Global)
        );
        assert!(Global.is_known_to(Loopback) && Global.is_known_to(Global));
    }
}
