//! What the peer said before it closed. With TLS 1.3 a server refuses our certificate after our handshake is done: its alert
//! may wait to be read while writing already fails with no more than "Broken pipe".

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose errors are those that tell most.
pub(in super::super) struct LastWords<S> {
    stream: S,
    /// Whether anything came since the handshake: then our certificate was accepted.
    has_heard: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> LastWords<S> {
    /// A stream whose handshake is done at our end.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, has_heard: false }
    }

    /// The cause of a failed write. What the kernel received before the connection was reset can be read still, so that
    /// nothing has to be waited for. Once anything was heard, what is left is for the reader.
    fn cause(&mut self, error: io::Error, cx: &mut Context<'_>) -> io::Error {
        if self.has_heard || !is_cut(&error) {
            return error;
        }
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Err(told)) if !is_cut(&told) => return told,
            // The stream is over, and nobody misses the byte.
            _ => self.has_heard = !buffer.filled().is_empty(),
        }
        self.explain(error)
    }

    /// Puts a cut into words while it may be about our certificate.
    fn explain(&self, error: io::Error) -> io::Error {
        if self.has_heard || !is_cut(&error) { error } else { cut_after_handshake(&error) }
    }
}

/// Whether the peer or the network ended the connection without giving a reason.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What "Broken pipe" means where a handshake was done, or almost.
pub(super) fn cut_after_handshake(error: &io::Error) -> io::Error {
    io::Error::other(format!(
        "it closed the connection right after the handshake ({error}); it may not accept our certificate, its log says why"
    ))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for LastWords<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        self.has_heard |= buffer.filled().len() > before;
        Poll::Ready(result.map_err(|error| self.explain(error)))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LastWords<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(result.map_err(|error| self.cause(error, cx)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(result.map_err(|error| self.cause(error, cx)))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(result.map_err(|error| self.cause(error, cx)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::super::disconnect::is_tls, *};

    /// A connection that the peer reset: writing fails, what it sent can be read.
    struct Reset(Vec<io::Result<&'static [u8]>>);

    impl AsyncRead for Reset {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.0.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            Poll::Ready(self.0.remove(0).map(|bytes| buffer.put_slice(bytes)))
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn alert() -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(AlertDescription::UnknownCA))
    }

    #[tokio::test]
    async fn a_failed_write_tells_of_the_alert_that_came_before() {
        let told = LastWords::new(Reset(vec![Err(alert())])).write_all(b"a").await.expect_err("it is reset");
        assert!(is_tls(&told), "{told}");
        let told = LastWords::new(Reset(vec![Err(alert())])).flush().await.expect_err("it is reset");
        assert!(is_tls(&told), "{told}");
    }

    #[tokio::test]
    async fn a_cut_without_a_word_names_the_probable_reason_unless_we_were_accepted() {
        let written = LastWords::new(Reset(Vec::new())).write_all(b"a").await.expect_err("it is reset");
        let read = LastWords::new(Reset(Vec::new())).read_u8().await.expect_err("it is reset");
        for told in [written.to_string(), read.to_string()] {
            assert!(told.contains("may not accept our certificate"), "{told}");
        }
        let mut accepted = LastWords::new(Reset(vec![Ok(b"s"), Err(alert())]));
        accepted.read_u8().await.expect("what came");
        assert_eq!(accepted.write_all(b"a").await.expect_err("it is reset").kind(), io::ErrorKind::BrokenPipe);
    }
}
