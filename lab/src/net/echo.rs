//! What a pod answers: every TCP connection and every UDP datagram on its ports comes back as it went.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    thread::{self, JoinHandle},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{LabError, Netns};

/// Larger than any datagram that probes send; a TCP stream is echoed in pieces of this size.
const BUFFER_BYTES: usize = 2048;

/// Connections that one pod serves at once; the oldest goes when there are more, since probes leave theirs behind.
const MAX_CONNECTIONS: usize = 256;

/// A port to answer on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listen {
    /// A TCP port.
    Tcp(u16),
    /// A UDP port.
    Udp(u16),
}

/// A thread that answers until it is dropped.
#[derive(Debug)]
pub struct EchoServer {
    /// Closing it ends the thread.
    stop: Option<io::PipeWriter>,
    /// Joined on drop.
    thread: Option<JoinHandle<()>>,
}

impl EchoServer {
    /// Opens the ports inside a namespace, then answers on them.
    pub fn start(netns: &Netns, ports: &[Listen]) -> Result<Self, LabError> {
        let mut sockets = Sockets::default();
        let opened = netns.run(|| {
            for &port in ports {
                sockets.open(port).map_err(LabError::system(format!("listening on {port:?}")))?;
            }
            Ok(sockets)
        })?;
        let (stopped, stop) = io::pipe().map_err(LabError::system("making a pipe"))?;
        let thread = thread::Builder::new()
            .name("echo".to_owned())
            .spawn(move || opened.serve(&stopped))
            .map_err(LabError::system("starting a thread"))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has been printed already; dropping must not panic again.
            let _ = thread.join();
        }
    }
}

/// Everything that one pod has open.
#[derive(Default)]
struct Sockets {
    listeners: Vec<TcpListener>,
    datagrams: Vec<UdpSocket>,
    connections: Vec<TcpStream>,
}

impl Sockets {
    fn open(&mut self, port: Listen) -> io::Result<()> {
        match port {
            Listen::Tcp(port) => {
                let listener = either_family(port, TcpListener::bind)?;
                listener.set_nonblocking(true)?;
                self.listeners.push(listener);
            }
            Listen::Udp(port) => {
                let socket = either_family(port, UdpSocket::bind)?;
                socket.set_nonblocking(true)?;
                self.datagrams.push(socket);
            }
        }
        Ok(())
    }

    fn serve(mut self, stopped: &io::PipeReader) {
        let mut buffer = [0; BUFFER_BYTES];
        while !self.wait(stopped.as_fd()) {
            for socket in &self.datagrams {
                while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                    // As with any UDP server: an answer that cannot be sent is lost, and the prober will tell.
                    let _ = socket.send_to(&buffer[..length], peer);
                }
            }
            self.connections.retain_mut(|connection| echo(connection, &mut buffer));
            self.accept();
        }
    }

    /// Waits until a socket has something, or until the server is to stop: then true.
    fn wait(&self, stopped: BorrowedFd<'_>) -> bool {
        let sockets = (self.listeners.iter().map(AsFd::as_fd))
            .chain(self.datagrams.iter().map(AsFd::as_fd))
            .chain(self.connections.iter().map(AsFd::as_fd));
        let mut polled: Vec<PollFd<'_>> =
            std::iter::once(stopped).chain(sockets).map(|socket| PollFd::new(socket, PollFlags::POLLIN)).collect();
        // An interrupted poll is a wake-up like any other: every read that follows is non-blocking.
        let _ = poll(&mut polled, PollTimeout::NONE);
        polled[0].any().unwrap_or(true)
    }

    fn accept(&mut self) {
        for listener in &self.listeners {
            while let Ok((connection, _)) = listener.accept() {
                if connection.set_nonblocking(true).is_ok() {
                    self.connections.push(connection);
                }
            }
        }
        let excess = self.connections.len().saturating_sub(MAX_CONNECTIONS);
        self.connections.drain(..excess);
    }
}

/// Binds to both address families where the kernel has IPv6, to IPv4 alone elsewhere.
fn either_family<T>(port: u16, bind: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    bind((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|_| bind((Ipv4Addr::UNSPECIFIED, port).into()))
}

/// Sends back what has come; false when the connection is over.
fn echo(connection: &mut TcpStream, buffer: &mut [u8]) -> bool {
    match connection.read(buffer) {
        Ok(0) => false,
        // Probes wait for each answer before they send more, so that the send buffer never fills up.
        Ok(length) => connection.write_all(&buffer[..length]).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
    }
}
