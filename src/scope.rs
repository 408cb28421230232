//! From how far an address makes sense, and so to whom it may be passed on.

use std::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use super::*;

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
