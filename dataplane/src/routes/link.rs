//! Interfaces: which there are, whether they are up, which addresses they have, and when that changes.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use netlink_sys::{SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;

use super::message::{
    AF_UNSPEC, IFA_ADDRESS, IFA_LOCAL, IFADDRMSG_LEN, IFF_UP, IFINFOMSG_LEN, IFLA_IFNAME, RTM_GETADDR, RTM_GETLINK,
    dump,
};
use crate::netlink::{Message, Socket, parse_address};

/// Multicast groups: interfaces, and their addresses in both IP versions.
const GROUPS: [u32; 3] = [1, 5, 9];

/// The interfaces of the namespace.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_name: BTreeMap<Arc<str>, Link>,
    by_address: BTreeMap<IpAddr, Arc<str>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    index: u32,
    is_up: bool,
}

impl Links {
    pub(super) fn read(socket: &mut Socket) -> io::Result<Self> {
        let by_name: BTreeMap<_, _> =
            socket.dump(|writer| dump(writer, RTM_GETLINK, &[0; IFINFOMSG_LEN]), read_link)?.into_iter().collect();
        let addresses = socket.dump(|writer| dump(writer, RTM_GETADDR, &[AF_UNSPEC; IFADDRMSG_LEN]), read_address)?;
        let names: BTreeMap<u32, &Arc<str>> = by_name.iter().map(|(name, link)| (link.index, name)).collect();
        let by_address = addresses.into_iter().filter_map(|(address, index)| {
            let name = names.get(&index)?;
            Some((address, Arc::clone(name)))
        });
        let by_address = by_address.collect();
        Ok(Self { by_name, by_address })
    }

    /// An interface's number, whether it is up or not.
    pub(super) fn index(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).map(|link| link.index)
    }

    /// An interface's number, if it is up.
    pub(super) fn up_index(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).filter(|link| link.is_up).map(|link| link.index)
    }

    pub(super) fn is_up(&self, name: &str) -> bool {
        self.up_index(name).is_some()
    }

    pub(super) fn interface_of(&self, address: IpAddr) -> Option<Arc<str>> {
        self.by_address.get(&address).cloned()
    }
}

pub(super) fn read_link(message: &Message<'_>) -> Option<(Arc<str>, Link)> {
    let word = |at: usize| Some(u32::from_ne_bytes(message.payload.get(at..at + 4)?.try_into().ok()?));
    let name = message.attributes(IFINFOMSG_LEN).text(IFLA_IFNAME)?;
    Some((name.into(), Link { index: word(4)?, is_up: word(8)? & IFF_UP != 0 }))
}

pub(super) fn read_address(message: &Message<'_>) -> Option<(IpAddr, u32)> {
    let index = u32::from_ne_bytes(message.payload.get(4..8)?.try_into().ok()?);
    let fields = message.attributes(IFADDRMSG_LEN);
    // Of a point-to-point interface, IFA_ADDRESS is the other end's.
    let bytes = fields.find(IFA_LOCAL).or_else(|| fields.find(IFA_ADDRESS))?;
    Some((parse_address(bytes)?, index))
}

/// Hears of interfaces that come, go or change.
pub(crate) struct Monitor(netlink_sys::Socket);

impl Monitor {
    /// Listens in the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Whether something happened since the last call. An overrun counts: something was missed.
    pub(crate) fn drain(&self) -> bool {
        let mut something = false;
        let mut datagram = Vec::new();
        loop {
            datagram.clear();
            match self.0.recv(&mut datagram, 0) {
                Ok(_) => something = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => something = true,
                Err(_) => return something,
            }
        }
    }

    /// Another descriptor of the same socket, to wait on.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        // SAFETY: the descriptor is open as long as `self` is, which outlives this borrow.
        unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) }.try_clone_to_owned()
    }

    /// Whether an event is queued, left where it is.
    pub(crate) fn peek(descriptor: &OwnedFd) -> io::Result<()> {
        let mut byte = [0; 1];
        let flags = nix::sys::socket::MsgFlags::MSG_PEEK | nix::sys::socket::MsgFlags::MSG_DONTWAIT;
        nix::sys::socket::recv(descriptor.as_raw_fd(), &mut byte, flags)?;
        Ok(())
    }
}
