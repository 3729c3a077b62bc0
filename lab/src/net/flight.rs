//! One question under way: a socket, and what is known so far.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, socket},
};

use super::probe::{Outcome, Probe};

/// What UDP probes say; the echo must be the same.
const GREETING: &[u8] = b"cattail probe";

/// Type and code of an ICMP echo request; the kernel fills in checksum and identifier.
const ECHO_REQUEST_V4: u8 = 8;

/// The same for ICMPv6.
const ECHO_REQUEST_V6: u8 = 128;

/// One question under way.
pub(super) struct Flight {
    socket: Socket,
    outcome: Option<Outcome>,
    launched: Instant,
}

enum Socket {
    /// A connection that is being made.
    Stream(TcpStream),
    /// A socket of datagrams, UDP or ICMP, and what it sends.
    Datagram(UdpSocket, Vec<u8>),
}

impl Flight {
    /// Sends the first packet.
    pub(super) fn launch(to: IpAddr, probe: Probe) -> io::Result<Self> {
        let port = match probe {
            Probe::Tcp(port) | Probe::Udp(port) => port,
            Probe::Ping => 0,
        };
        let fd = open(to, probe)?;
        let outcome = match connect(fd.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(to, port))) {
            Ok(()) | Err(Errno::EINPROGRESS) => None,
            // No route, most likely: the kernel knows at once.
            Err(_) => Some(Outcome::Refused),
        };
        let socket = match probe {
            Probe::Tcp(_) => Socket::Stream(fd.into()),
            Probe::Udp(_) => Socket::Datagram(fd.into(), GREETING.to_vec()),
            Probe::Ping => Socket::Datagram(fd.into(), echo_request(to)),
        };
        let mut flight = Self { socket, outcome, launched: Instant::now() };
        flight.resend();
        Ok(flight)
    }

    /// Whether nothing is known yet.
    pub(super) fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// What is known so far; silence where nothing is.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(Outcome::Silent)
    }

    /// When the first packet was sent.
    pub(super) fn launched(&self) -> Instant {
        self.launched
    }

    /// What to poll for.
    pub(super) fn interest(&self) -> PollFlags {
        match self.socket {
            Socket::Stream(_) => PollFlags::POLLOUT,
            Socket::Datagram(..) => PollFlags::POLLIN,
        }
    }

    /// Sends a datagram again; TCP does that by itself.
    pub(super) fn resend(&mut self) {
        if let (None, Socket::Datagram(socket, message)) = (self.outcome, &self.socket) {
            // A failure here is an error of an earlier packet; `progress` sees it too.
            let _ = socket.send(message);
        }
    }

    /// Looks whether an answer or a refusal has come.
    pub(super) fn progress(&mut self) {
        if self.outcome.is_some() {
            return;
        }
        self.outcome = match &self.socket {
            Socket::Stream(stream) => progress_stream(stream, self.launched),
            Socket::Datagram(socket, message) => progress_datagram(socket, message, self.launched),
        };
    }
}

impl AsFd for Flight {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Stream(stream) => stream.as_fd(),
            Socket::Datagram(socket, _) => socket.as_fd(),
        }
    }
}

fn progress_stream(stream: &TcpStream, launched: Instant) -> Option<Outcome> {
    match stream.take_error() {
        Ok(None) if stream.peer_addr().is_ok() => Some(Outcome::Answered(launched.elapsed())),
        Ok(None) => None,
        Ok(Some(error)) | Err(error) => refusal(&error),
    }
}

fn progress_datagram(socket: &UdpSocket, message: &[u8], launched: Instant) -> Option<Outcome> {
    let mut buffer = [0; 64];
    match socket.recv(&mut buffer) {
        // An ICMP answer differs from the request in its header, which the kernel has matched already.
        Ok(length) if length == message.len() => Some(Outcome::Answered(launched.elapsed())),
        Ok(_) => None,
        Err(error) => refusal(&error),
    }
}

/// An error that a peer or a router caused. Being unreachable after a timeout is silence, not a word.
fn refusal(error: &io::Error) -> Option<Outcome> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::TimedOut => None,
        _ => Some(Outcome::Refused),
    }
}

/// Opens the kind of socket that a probe needs. For pings it is a ping socket: the kernel matches answers to requests, as
/// UDP matches ports.
fn open(to: IpAddr, probe: Probe) -> nix::Result<OwnedFd> {
    let (family, icmp) = match to {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
    };
    let (kind, protocol) = match probe {
        Probe::Tcp(_) => (SockType::Stream, None),
        Probe::Udp(_) => (SockType::Datagram, None),
        Probe::Ping => (SockType::Datagram, Some(icmp)),
    };
    socket(family, kind, SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC, protocol)
}

fn echo_request(to: IpAddr) -> Vec<u8> {
    let icmp_type = if to.is_ipv4() { ECHO_REQUEST_V4 } else { ECHO_REQUEST_V6 };
    // Type, code, checksum, identifier, sequence number.
    let mut packet = vec![icmp_type, 0, 0, 0, 0, 0, 0, 1];
    packet.extend_from_slice(GREETING);
    packet
}

/// Waits until one of those that are open may have news, or for this time at most.
pub(super) fn wait<'a>(flights: impl IntoIterator<Item = &'a Flight>, at_most: Duration) {
    let mut polled: Vec<PollFd<'_>> = flights
        .into_iter()
        .filter(|flight| flight.is_open())
        .map(|flight| PollFd::new(flight.as_fd(), flight.interest()))
        .collect();
    // Rounded up, so that the last wait does not spin through its last millisecond.
    let timeout_ms = u16::try_from(at_most.as_millis() + 1).unwrap_or(u16::MAX);
    // Errors are interruptions; flights are asked either way.
    let _ = poll(&mut polled, PollTimeout::from(timeout_ms));
}
