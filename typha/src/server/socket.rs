//! A TCP stream that sends what lies in one piece with `send`.
//!
//! TLS writes its records as a list of pieces, which most often has one element. The kernel takes a list through its
//! files' layer, and that costs a tenth of sending a short message. And it tells what the peer has not taken.

use std::{
    io::{self, IoSlice},
    os::fd::AsRawFd as _,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::http2::Backlog;

nix::ioctl_read_bad!(
    /// Bytes in a socket's send queue (tcp(7), `SIOCOUTQ`).
    send_queue,
    nix::libc::TIOCOUTQ,
    nix::libc::c_int
);

/// A connection's socket.
pub(super) struct Socket {
    stream: TcpStream,
}

impl Socket {
    pub(super) fn new(stream: TcpStream) -> Self {
        // A message is written as a whole; waiting for more would only delay it. Where it cannot be set, it is delayed.
        let _ = stream.set_nodelay(true);
        Self { stream }
    }
}

impl Backlog for Socket {
    fn backlog(&self) -> u32 {
        let mut bytes = 0;
        // SAFETY: the descriptor is open as long as the stream, and the kernel writes one int to where it is pointed.
        let asked = unsafe { send_queue(self.stream.as_raw_fd(), &raw mut bytes) };
        // A socket that cannot tell has nothing on its way; its peer must answer in time.
        asked.map_or(0, |_| bytes.unsigned_abs())
    }
}

impl Backlog for TlsStream<Socket> {
    fn backlog(&self) -> u32 {
        self.get_ref().0.backlog()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [one] => Pin::new(&mut self.stream).poll_write(context, one),
            more => Pin::new(&mut self.stream).poll_write_vectored(context, more),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
