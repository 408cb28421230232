//! Makes a connection to an endpoint that somebody named.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::ids::Endpoint;

/// For everything: resolving the name and trying what it means.
const DIAL_MAX: Duration = Duration::from_secs(5);
/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// Resolves `endpoint` and tries its addresses in turn, each with an even share of the time that is left.
pub(crate) async fn dial(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let by = Instant::now() + DIAL_MAX;
    let found = timeout_at(by, lookup_host((endpoint.host.as_str(), endpoint.port))).await??;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
    dial_any(&addresses, by).await
}

/// The first of `addresses` that answers.
async fn dial_any(addresses: &[SocketAddr], by: Instant) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::NotFound.into();
    for (tried, address) in addresses.iter().enumerate() {
        match timeout_at(share_of(by, addresses.len() - tried), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(late) => last = late.into(),
        }
    }
    Err(last)
}

fn share_of(by: Instant, left: usize) -> Instant {
    let now = Instant::now();
    let parts = u32::try_from(left).expect("at most a few addresses");
    now + by.duration_since(now) / parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_name_is_reached_by_whichever_of_its_addresses_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoint = Endpoint { host: "localhost".to_owned(), port };
        let (dialled, accepted) = tokio::join!(dial(&endpoint), listener.accept());
        assert_eq!(dialled.unwrap().local_addr().unwrap(), accepted.unwrap().1);
    }

    #[tokio::test]
    async fn addresses_that_refuse_are_passed_over_and_the_last_refusal_is_told_where_none_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let right = listener.local_addr().unwrap();
        // Nobody listens there, and where there is no IPv6 the first cannot even be tried.
        let refusing = ["::1", "127.0.0.2"].map(|ip| SocketAddr::new(ip.parse().unwrap(), right.port()));
        let by = || Instant::now() + DIAL_MAX;
        let dialled = dial_any(&[&refusing[..], &[right]].concat(), by()).await.unwrap();
        assert_eq!(dialled.peer_addr().unwrap(), right);
        let refused = dial_any(&refusing, by()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_one_is_an_error() {
        let endpoint = Endpoint { host: "x".repeat(64), port: 9 };
        assert!(dial(&endpoint).await.is_err());
    }
}
