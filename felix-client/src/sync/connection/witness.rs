//! Remembers why a stream of bytes broke. HTTP/2 hands the text of an I/O error on at best; which certificate was
//! refused, and by whom, is known only down here.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::disconnect::{explain, is_tls};

/// The first error of a stream, in words, once there was one.
pub(super) type Testimony = Arc<OnceLock<Broke>>;

/// How a stream broke.
#[derive(Clone, Debug)]
pub(super) struct Broke {
    /// Whether TLS did not agree, as against the network.
    pub(super) by_tls: bool,
    /// Why, in words.
    pub(super) reason: String,
}

/// A stream that is watched.
pub(super) struct Witness<S> {
    stream: S,
    testimony: Testimony,
}

impl<S> Witness<S> {
    pub(super) fn new(stream: S, testimony: Testimony) -> Self {
        Self { stream, testimony }
    }

    fn note<T>(&self, result: io::Result<T>) -> Poll<io::Result<T>> {
        if let Err(error) = &result {
            let by_tls = is_tls(error);
            // Only the first error is the cause; later ones follow from it.
            let _ = self.testimony.set(Broke { by_tls, reason: explain(error) });
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Witness<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.note(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Witness<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.note(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        self.note(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        self.note(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
        self.note(result)
    }
}
