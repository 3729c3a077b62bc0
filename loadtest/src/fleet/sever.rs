//! Ends all our connections to some servers at once, as a network does, without asking the clients that own them.

use std::{
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    os::fd::RawFd,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use nix::sys::socket::{Shutdown, SockaddrStorage, getpeername, shutdown};

/// Shuts down every TCP connection of this process to one of the servers; how many those were.
pub(super) fn sever(servers: &[Arc<str>]) -> Result<usize> {
    let mut addresses = Vec::new();
    for server in servers {
        addresses.extend(server.to_socket_addrs().with_context(|| format!("cannot resolve {server}"))?);
    }
    let descriptors: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .context("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    let ours = descriptors.into_iter().filter(|fd| peer(*fd).is_some_and(|peer| addresses.contains(&peer)));
    // One that has ended meanwhile is severed already.
    Ok(ours.filter(|fd| shutdown(*fd, Shutdown::Both).is_ok()).count())
}

fn peer(fd: RawFd) -> Option<SocketAddr> {
    let peer: SockaddrStorage = getpeername(fd).ok()?;
    let v4 = peer.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| peer.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}
