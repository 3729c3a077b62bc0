//! What we say: answers, pings, and the end.

use http::{HeaderMap, StatusCode};

use super::{
    super::{
        fault::{Code, Fault},
        frame::{self, HEAD_BYTES, Head, flag, kind},
    },
    Machine, Phase,
};

/// The content of a PING that asks whether the peer is alive.
const ALIVE: &[u8; 8] = b"alive? \0";
/// The content of the PING after which the peer knows that we are leaving.
const LEAVING: &[u8; 8] = b"leaving\0";
/// "All streams that you will ever open" (RFC 9113 section 6.8).
const EVERY_STREAM: u32 = (1 << 31) - 1;

/// Content that may be written now: its head, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// To be written in front of the content.
    pub head: [u8; HEAD_BYTES],
    /// How much of the content is to follow.
    pub length: usize,
}

/// How far our leave is (RFC 9113 section 6.8): first the peer learns that it shall open no more streams, then, a round
/// trip later, which ones were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The peer was told.
    Announced,
    /// It knows; streams above this one are not looked at.
    Final(u32),
}

impl Leaving {
    pub(super) fn is_beyond(self, stream: u32) -> bool {
        matches!(self, Self::Final(last) if stream > last)
    }
}

impl Machine {
    /// Begins the answer to a request. Does nothing where the stream is no more.
    pub fn respond(&mut self, stream: u32, status: StatusCode, headers: &HeaderMap, is_last: bool) {
        let Some(answered) = self.streams.get_mut(stream).filter(|stream| !stream.is_answered) else { return };
        answered.is_answered = true;
        self.put_headers(stream, Some(status), headers, is_last);
    }

    /// How much content may be sent on a stream now.
    pub fn capacity(&self, stream: u32) -> usize {
        let Some(stream) = self.streams.get(stream) else { return 0 };
        stream.send.available().min(self.send.available()).min(self.peer.max_frame_bytes)
    }

    /// Announces content of an answer, up to `wanted` bytes; `None` where there is no room for any, or no such stream.
    /// What is announced must be written, directly behind its head, before any other output.
    pub fn data(&mut self, stream: u32, wanted: usize, is_last: bool) -> Option<Announced> {
        let length = wanted.min(self.capacity(stream));
        if length == 0 && wanted > 0 {
            return None;
        }
        let is_last = is_last && length == wanted;
        self.streams.get_mut(stream).filter(|stream| stream.is_answered)?.send.take(length);
        self.send.take(length);
        self.budget.sent(length);
        if is_last {
            self.end(stream);
        }
        let flags = if is_last { flag::END_STREAM } else { 0 };
        Some(Announced { head: Head { length, kind: kind::DATA, flags, stream }.to_bytes(), length })
    }

    /// Ends an answer.
    pub fn trailers(&mut self, stream: u32, trailers: &HeaderMap) {
        if self.streams.get(stream).is_some_and(|stream| stream.is_answered) {
            self.put_headers(stream, None, trailers, true);
        }
    }

    /// Breaks off a stream.
    pub fn reset(&mut self, stream: u32, code: Code) {
        let room = self.streams.remove(stream).map(|stream| stream.room).unwrap_or_default();
        self.reset.remember(stream, room);
        frame::put_numbers(&mut self.outbound, kind::RST_STREAM, stream, &[code as u32]);
    }

    /// Asks the peer for a sign of life. Any byte of it is one.
    pub fn ping(&mut self) {
        frame::put(&mut self.outbound, kind::PING, 0, 0, ALIVE);
    }

    /// Begins to leave: the peer opens no more streams, and those that are open go on to their ends.
    pub fn leave(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Announced;
            self.put_go_away(EVERY_STREAM, Code::NoError);
            frame::put(&mut self.outbound, kind::PING, 0, 0, LEAVING);
        }
    }

    /// Whether we have left: the peer knows, and nothing is open any more.
    pub fn has_left(&self) -> bool {
        matches!(self.leaving, Leaving::Final(_)) && self.streams.is_empty()
    }

    pub(super) fn on_pong(&mut self, content: &[u8]) {
        if self.leaving == Leaving::Announced && content == LEAVING {
            self.leaving = Leaving::Final(self.last_stream);
            self.put_go_away(self.last_stream, Code::NoError);
        }
    }

    /// Tells the peer what it did wrong, and nothing more.
    pub(super) fn break_off(&mut self, fault: Fault) {
        if self.phase != Phase::Broken {
            self.phase = Phase::Broken;
            self.put_go_away(self.last_stream, fault.code);
        }
    }

    fn put_go_away(&mut self, last_stream: u32, code: Code) {
        frame::put_numbers(&mut self.outbound, kind::GOAWAY, 0, &[last_stream, code as u32]);
    }

    fn put_headers(&mut self, stream: u32, status: Option<StatusCode>, headers: &HeaderMap, is_last: bool) {
        let block = self.encoder.encode(status, headers);
        frame::put_headers(&mut self.outbound, stream, &block, is_last, self.peer.max_frame_bytes);
        if is_last {
            self.end(stream);
        }
    }

    /// The answer has ended. A peer that is still asking need not go on (section 8.1).
    fn end(&mut self, stream: u32) {
        let is_remote_open = self.streams.get(stream).is_some_and(|stream| stream.is_remote_open);
        if is_remote_open {
            // Written behind the answer's last frame, as any output is.
            self.reset(stream, Code::NoError);
        } else {
            self.streams.remove(stream);
        }
    }
}
