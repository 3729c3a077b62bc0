//! One stream: which of its directions are open, and how much room each has (RFC 9113 section 5.1).
//!
//! A stream that has ended in both directions, or was reset, is forgotten; its number tells that it once was.

use super::{limits::WINDOW_BYTES, window::Window};

/// A stream that the peer opened.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    /// Room for our content.
    pub(super) send: Window,
    /// Content of the peer that its window was not filled up for yet.
    pub(super) received_bytes: u32,
    /// Whether the peer may still send.
    pub(super) is_remote_open: bool,
    /// Whether our headers were sent.
    pub(super) is_answered: bool,
    /// Content that the peer announced in its headers and has not sent yet.
    pub(super) announced_bytes: Option<u64>,
}

impl Stream {
    /// Takes note of content; `false` where the window has no room for it.
    #[must_use]
    pub(super) fn receive(&mut self, bytes: u32) -> bool {
        self.received_bytes = self.received_bytes.saturating_add(bytes);
        self.received_bytes <= WINDOW_BYTES
    }
}

/// All streams that have not ended. They are few, so that looking through them is fastest.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: Vec<Stream>,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Stream> {
        self.open.iter().find(|stream| stream.id == id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        self.open.iter_mut().find(|stream| stream.id == id)
    }

    pub(super) fn insert(&mut self, stream: Stream) {
        self.open.push(stream);
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Stream> {
        let place = self.open.iter().position(|stream| stream.id == id)?;
        Some(self.open.swap_remove(place))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.open.iter_mut()
    }
}
