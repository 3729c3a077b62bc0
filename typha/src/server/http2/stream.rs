//! One stream: which of its directions are open, and how much room each has (RFC 9113 section 5.1).
//!
//! A stream that has ended in both directions, or was reset, is forgotten; its number tells that it once was.

use super::{
    limits::{REMEMBERED_RESETS, WINDOW_BYTES, WINDOW_STEP_BYTES},
    window::Window,
};

/// Room that we give for the peer's content. What was promised counts once the promise is on its way: a peer that sends
/// more before that does not look at windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// Content that came and that no room was made for yet.
    used_bytes: u32,
    /// What of it is promised in output that was not taken yet.
    promised_bytes: u32,
}

impl Room {
    /// Takes note of content; `false` where there is no room for it.
    #[must_use]
    pub(super) fn receive(&mut self, bytes: u32) -> bool {
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        self.used_bytes <= WINDOW_BYTES
    }

    /// What to promise now, if that is worth a frame.
    pub(super) fn promise(&mut self) -> Option<u32> {
        let bytes = self.used_bytes - self.promised_bytes;
        (bytes >= WINDOW_STEP_BYTES).then(|| {
            self.promised_bytes += bytes;
            bytes
        })
    }

    /// The promises are on their way.
    pub(super) fn keep_promises(&mut self) {
        self.used_bytes -= std::mem::take(&mut self.promised_bytes);
    }
}

/// Streams that were reset by us lately: what was on its way then is nobody's fault.
#[derive(Debug, Default)]
pub(super) struct Reset {
    /// Oldest first, with the room that each had.
    streams: Vec<(u32, Room)>,
}

impl Reset {
    pub(super) fn remember(&mut self, id: u32, room: Room) {
        if self.streams.len() == REMEMBERED_RESETS {
            self.streams.remove(0);
        }
        self.streams.push((id, room));
    }

    pub(super) fn room_mut(&mut self, id: u32) -> Option<&mut Room> {
        self.streams.iter_mut().find(|(other, _)| *other == id).map(|(_, room)| room)
    }
}

/// A stream that the peer opened.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u32,
    /// Room for our content.
    pub(super) send: Window,
    /// Room for the peer's.
    pub(super) room: Room,
    /// Whether the peer may still send.
    pub(super) is_remote_open: bool,
    /// Whether our headers were sent.
    pub(super) is_answered: bool,
    /// Content that the peer announced in its headers and has not sent yet.
    pub(super) announced_bytes: Option<u64>,
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
