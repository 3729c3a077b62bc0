//! Who knows the addresses behind a name. The seam at which discovery is tested, and at which others than DNS fit in.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin};

/// A lookup under way.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses behind names.
pub trait Resolve: fmt::Debug + Send + Sync {
    /// The addresses of `host:port` at this moment, the preferred IP family first. Cancel safe.
    fn resolve<'a>(&'a self, name: &'a str) -> Lookup<'a>;
}

/// The system's resolver: /etc/hosts, search domains and all. It tells no TTL, so lookups follow a clock of their own.
#[derive(Debug)]
pub(super) struct System;

impl Resolve for System {
    fn resolve<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host(name).await?.collect()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_knows_localhost() {
        let addresses = System.resolve("localhost:5473").await.expect("/etc/hosts has localhost");
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 5473), "{addresses:?}");
    }

    #[tokio::test]
    async fn what_is_no_name_is_an_error() {
        assert!(System.resolve("no port").await.is_err());
    }
}
