//! The server's half of one HTTP/2 connection (RFC 9113) as a state machine: bytes in, events and bytes out.
//!
//! No I/O, no clock, no runtime, no content of ours: what a message holds never passes through here, only the nine
//! bytes in front of it. Whatever a peer sends is answered by an event, by bytes, or by a [`Fault`]; never by a panic,
//! and never by memory beyond `limits`.
//!
//! How to drive it, be it from a socket, a simulation or a fuzzer:
//! 1. [`Machine::receive`] bytes, then [`Machine::next_event`] until there is none, before receiving more;
//! 2. answer requests with [`Machine::respond`], [`Machine::data`], [`Machine::trailers`], [`Machine::reset`];
//! 3. write what [`Machine::take_output`] gives, in this order with the content announced by [`Machine::data`].
//!
//! After a fault there is one last output, which tells the peer; then the connection is over.

mod inbound;
mod outbound;

use bytes::{Buf as _, Bytes, BytesMut};
use http::Request;

pub use self::outbound::Announced;
use self::{inbound::Block, outbound::Leaving};
use super::{
    budget::Budget,
    fault::Fault,
    frame::{self, HEAD_BYTES, Head, kind},
    hpack::{Decoder, Encoder},
    limits::{FRAME_BYTES, HEADER_LIST_BYTES, STREAMS, TABLE_BYTES, TABLE_BYTES_WANTED, WINDOW_BYTES},
    stream::{Reset, Room, Streams},
    window::Window,
};

/// What every client says first (section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The parameters of SETTINGS (section 6.5.2).
mod setting {
    pub(super) const HEADER_TABLE_SIZE: u16 = 1;
    pub(super) const ENABLE_PUSH: u16 = 2;
    pub(super) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(super) const INITIAL_WINDOW_SIZE: u16 = 4;
    pub(super) const MAX_FRAME_SIZE: u16 = 5;
    pub(super) const MAX_HEADER_LIST_SIZE: u16 = 6;
}

/// What a peer's bytes came to.
#[derive(Debug)]
pub enum Event {
    /// A request began.
    Request {
        /// Its stream.
        stream: u32,
        /// Its headers.
        head: Request<()>,
        /// Whether it has no content.
        is_last: bool,
    },
    /// Content of a request.
    Data {
        /// Its stream.
        stream: u32,
        /// The content.
        content: Bytes,
        /// Whether the request ends with it.
        is_last: bool,
    },
    /// The stream is no more; nothing need be answered.
    Reset {
        /// Its number.
        stream: u32,
    },
}

/// One connection.
#[derive(Debug)]
pub struct Machine {
    /// How far the opening is.
    phase: Phase,
    /// What was received and is not a whole frame yet.
    inbound: BytesMut,
    /// Frames that wait to be written.
    outbound: Vec<u8>,
    /// A header block that is not whole yet.
    block: Option<Block>,
    decoder: Decoder,
    encoder: Encoder,
    streams: Streams,
    /// The highest stream that the peer opened.
    last_stream: u32,
    /// Streams that were reset by us lately.
    reset: Reset,
    /// Room for our content on all streams together.
    send: Window,
    /// Room for the peer's content on all streams together.
    room: Room,
    /// Whether `outbound` promises room to the peer.
    has_promised: bool,
    /// What the peer wants of us.
    peer: Peer,
    /// The end, if it was announced.
    leaving: Leaving,
    budget: Budget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The preface is to come.
    Preface,
    /// The peer's first settings are to come.
    Settings,
    Open,
    /// A rule was broken.
    Broken,
}

/// The peer's settings, as far as they concern us.
#[derive(Clone, Copy, Debug)]
struct Peer {
    initial_window: u32,
    max_frame_bytes: usize,
}

impl Machine {
    /// A connection that has just begun. There is output at once: our settings.
    pub fn new() -> Self {
        let mut outbound = Vec::new();
        let settings = [
            (setting::HEADER_TABLE_SIZE, TABLE_BYTES_WANTED as u32),
            (setting::MAX_CONCURRENT_STREAMS, STREAMS),
            (setting::MAX_HEADER_LIST_SIZE, HEADER_LIST_BYTES as u32),
        ];
        let payload: Vec<u8> =
            settings.iter().flat_map(|(id, value)| id.to_be_bytes().into_iter().chain(value.to_be_bytes())).collect();
        frame::put(&mut outbound, kind::SETTINGS, 0, 0, &payload);
        Self {
            phase: Phase::Preface,
            inbound: BytesMut::new(),
            outbound,
            block: None,
            decoder: Decoder::new(TABLE_BYTES),
            encoder: Encoder::default(),
            streams: Streams::default(),
            last_stream: 0,
            reset: Reset::default(),
            send: Window::new(WINDOW_BYTES),
            room: Room::default(),
            has_promised: false,
            peer: Peer { initial_window: WINDOW_BYTES, max_frame_bytes: FRAME_BYTES },
            leaving: Leaving::No,
            budget: Budget::new(),
        }
    }

    /// Takes bytes of the peer. Call [`Self::next_event`] until there is none before the next ones.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Broken {
            self.inbound.extend_from_slice(bytes);
        }
    }

    /// The next thing that the bytes come to; `None` where more are needed. A fault ends the connection.
    pub fn next_event(&mut self) -> Result<Option<Event>, Fault> {
        let event = self.read();
        if let Err(fault) = &event {
            self.break_off(*fault);
        }
        event
    }

    /// What is to be written next. What is taken must be written.
    pub fn take_output(&mut self) -> Vec<u8> {
        if std::mem::take(&mut self.has_promised) {
            self.room.keep_promises();
            self.streams.iter_mut().for_each(|stream| stream.room.keep_promises());
        }
        std::mem::take(&mut self.outbound)
    }

    /// How much there is to be written, content aside.
    pub fn output_bytes(&self) -> usize {
        self.outbound.len()
    }

    /// Whether a request was not answered to its end yet.
    pub fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// A new period of the allowances for work without use begins.
    pub fn begin_period(&mut self) {
        self.budget = Budget::new();
    }

    fn read(&mut self) -> Result<Option<Event>, Fault> {
        if self.phase == Phase::Preface && !self.take_preface()? {
            return Ok(None);
        }
        while self.phase != Phase::Broken
            && let Some((head, payload)) = self.take_frame()?
        {
            if let Some(event) = self.on_frame(head, payload)? {
                return Ok(Some(event));
            }
        }
        if self.inbound.is_empty() {
            // Gives the buffer back: most of the time nothing comes.
            self.inbound = BytesMut::new();
        }
        Ok(None)
    }

    fn take_preface(&mut self) -> Result<bool, Fault> {
        let length = self.inbound.len().min(PREFACE.len());
        if self.inbound[..length] != PREFACE[..length] {
            return Err(Fault::protocol("it does not speak HTTP/2"));
        }
        if length < PREFACE.len() {
            return Ok(false);
        }
        self.inbound.advance(length);
        self.phase = Phase::Settings;
        Ok(true)
    }

    fn take_frame(&mut self) -> Result<Option<(Head, Bytes)>, Fault> {
        let Some(head) = self.inbound.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let head = Head::read(*head);
        if head.length > FRAME_BYTES {
            return Err(Fault::frame_size("a frame is longer than we take"));
        }
        if self.inbound.len() < HEAD_BYTES + head.length {
            return Ok(None);
        }
        self.inbound.advance(HEAD_BYTES);
        Ok(Some((head, self.inbound.split_to(head.length).freeze())))
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
