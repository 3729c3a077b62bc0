//! Header blocks: gathered over frames, decompressed, and made to a request or to its end.

use bytes::{Buf as _, Bytes};

use super::{
    super::{
        super::{
            fault::{Code, Fault},
            frame::{self, Head, flag},
            hpack::Malformed,
            limits::{CONTINUATIONS, FRAME_BYTES, HEADER_BLOCK_BYTES, STREAMS},
            request::{Fields, Flaw, announced_bytes},
            stream::{Room, Stream},
            window::Window,
        },
        Event, Machine,
    },
    Outcome, without_padding,
};

/// The bytes of stream dependency and weight, which nobody uses any more.
const PRIORITY_BYTES: usize = 5;
/// "Request Header Fields Too Large" as a header block: a literal whose name is that of `:status` (RFC 7541).
const TOO_LARGE: &[u8] = &[8, 3, b'4', b'3', b'1'];

/// A header block that is not whole yet.
#[derive(Debug)]
pub(in super::super) struct Block {
    pub(super) stream: u32,
    is_last: bool,
    bytes: Vec<u8>,
    /// Frames that may still continue it.
    continuations: u32,
}

impl Machine {
    pub(super) fn on_headers(&mut self, head: Head, payload: Bytes) -> Outcome {
        // A client's streams have odd numbers (RFC 9113 section 5.1.1).
        if head.stream.is_multiple_of(2) {
            return Err(Fault::protocol("HEADERS on a stream that a client cannot open"));
        }
        let mut payload = without_padding(head, payload)?;
        if head.has(flag::PRIORITY) {
            if payload.len() < PRIORITY_BYTES {
                return Err(Fault::frame_size("HEADERS are too short for their priority"));
            }
            payload.advance(PRIORITY_BYTES);
        }
        let is_last = head.has(flag::END_STREAM);
        if head.has(flag::END_HEADERS) {
            return self.on_block(head.stream, is_last, &payload);
        }
        let (stream, bytes) = (head.stream, payload.to_vec());
        self.block = Some(Block { stream, is_last, bytes, continuations: CONTINUATIONS });
        Ok(None)
    }

    pub(super) fn on_continuation(&mut self, head: Head, payload: &[u8]) -> Outcome {
        let Some(mut block) = self.block.take() else {
            return Err(Fault::protocol("CONTINUATION of no header block"));
        };
        let left = block.continuations.checked_sub(1);
        block.continuations = left.ok_or(Fault::flood("a header block in too many frames"))?;
        if block.bytes.len() + payload.len() > HEADER_BLOCK_BYTES {
            return Err(Fault::flood("a header block is longer than we take"));
        }
        block.bytes.extend_from_slice(payload);
        if head.has(flag::END_HEADERS) {
            return self.on_block(block.stream, block.is_last, &block.bytes);
        }
        self.block = Some(block);
        Ok(None)
    }

    /// A whole block. It is decompressed whatever becomes of it: those that follow depend on it.
    fn on_block(&mut self, id: u32, is_last: bool, block: &[u8]) -> Outcome {
        let mut fields = Fields::default();
        self.decoder
            .decode(block, |name, value| fields.add(name, value))
            .map_err(|Malformed| Fault { code: Code::Compression, what: "headers cannot be decompressed" })?;
        if id > self.last_stream {
            return self.on_request(id, is_last, fields);
        }
        match self.streams.get_mut(id) {
            Some(stream) if stream.is_remote_open => {
                let is_complete = stream.announced_bytes.is_none_or(|left| left == 0);
                if !is_last || !is_complete || !fields.are_trailers() {
                    return self.refuse(id, Code::Protocol);
                }
                stream.is_remote_open = false;
                Ok(Some(Event::Data { stream: id, content: Bytes::new(), is_last }))
            }
            Some(_) => self.refuse(id, Code::StreamClosed),
            None if self.reset.room_mut(id).is_some() => self.budget.reset().map(|()| None),
            None => Err(Fault::closed("HEADERS on a stream that has ended")),
        }
    }

    fn on_request(&mut self, id: u32, is_last: bool, fields: Fields) -> Outcome {
        if self.leaving.is_beyond(id) {
            // It was told that we do not look at it (section 6.8).
            return self.budget.reset().map(|()| None);
        }
        self.last_stream = id;
        if self.streams.len() >= STREAMS as usize {
            return self.turn_away(id, Code::RefusedStream);
        }
        let head = match fields.into_request() {
            Ok(head) => head,
            Err(Flaw::Malformed) => return self.turn_away(id, Code::Protocol),
            Err(Flaw::TooLong) => {
                frame::put_headers(&mut self.outbound, id, TOO_LARGE, true, FRAME_BYTES);
                return if is_last { self.budget.reset().map(|()| None) } else { self.turn_away(id, Code::NoError) };
            }
        };
        let Ok(announced_bytes) = announced_bytes(head.headers()) else {
            return self.turn_away(id, Code::Protocol);
        };
        if is_last && announced_bytes.is_some_and(|announced| announced > 0) {
            return self.turn_away(id, Code::Protocol);
        }
        self.streams.insert(Stream {
            id,
            send: Window::new(self.peer.initial_window),
            room: Room::default(),
            is_remote_open: !is_last,
            is_answered: false,
            announced_bytes,
        });
        Ok(Some(Event::Request { stream: id, head, is_last }))
    }

    /// Resets a stream that nobody has heard of.
    fn turn_away(&mut self, id: u32, code: Code) -> Outcome {
        self.budget.reset()?;
        self.reset(id, code);
        Ok(None)
    }
}
