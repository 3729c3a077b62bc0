//! What is on its way to the socket: frames, and at most one piece of shared content behind them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, Bytes};
use tokio::io::AsyncWrite;

use super::super::frame::HEAD_BYTES;

/// Content up to this length is copied behind its head: that costs less than a second slice.
const COPIED_BYTES: usize = 1 << 10;
/// Enough for one write: a TLS record holds no more.
const GATHERED_BYTES: usize = 16 << 10;

/// Bytes in the order in which they are written.
#[derive(Debug, Default)]
pub(super) struct Writing {
    frames: Vec<u8>,
    /// How much of `frames` was written.
    written: usize,
    content: Bytes,
    /// Whether something was handed to the socket since it was last flushed.
    is_unflushed: bool,
}

impl Writing {
    /// Whether everything was written.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.content.is_empty()
    }

    /// Whether it shall be written before more is put in.
    pub(super) fn is_full(&self) -> bool {
        !self.content.is_empty() || self.frames.len() >= GATHERED_BYTES
    }

    /// Puts whole frames in.
    pub(super) fn frames(&mut self, frames: Vec<u8>) {
        if self.frames.is_empty() {
            self.frames = frames;
        } else {
            self.frames.extend_from_slice(&frames);
        }
    }

    /// Puts a frame's head and its content in.
    pub(super) fn content(&mut self, head: [u8; HEAD_BYTES], content: Bytes) {
        let is_copied = content.len() <= COPIED_BYTES;
        self.frames.reserve_exact(HEAD_BYTES + if is_copied { content.len() } else { 0 });
        self.frames.extend_from_slice(&head);
        if is_copied {
            self.frames.extend_from_slice(&content);
        } else {
            self.content = content;
        }
    }

    /// Writes everything and flushes it.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let frames = &self.frames[self.written..];
            let mut stream = Pin::new(&mut *stream);
            let written = ready!(match (frames.is_empty(), self.content.is_empty()) {
                (false, true) => stream.as_mut().poll_write(context, frames),
                (true, _) => stream.as_mut().poll_write(context, &self.content),
                (false, false) => {
                    let slices = [IoSlice::new(frames), IoSlice::new(&self.content)];
                    stream.as_mut().poll_write_vectored(context, &slices)
                }
            })?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.is_unflushed = true;
            self.advance(written);
        }
        if self.is_unflushed {
            ready!(Pin::new(stream).poll_flush(context))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let of_frames = written.min(self.frames.len() - self.written);
        self.written += of_frames;
        self.content.advance(written - of_frames);
        if self.written == self.frames.len() {
            // Gives the memory back: most of the time there is nothing to write.
            (self.frames, self.written) = (Vec::new(), 0);
        }
        if self.content.is_empty() {
            // Lets go of what others share.
            self.content = Bytes::new();
        }
    }
}
