//! What each frame of the peer means (RFC 9113 section 6).

mod headers;
mod settings;

use bytes::{Buf as _, Bytes};

pub(super) use self::headers::Block;
use super::{
    super::{
        fault::{Code, Fault},
        frame::{self, Head, flag, kind},
        window::Overflow,
    },
    Event, Machine, Phase,
};

/// What happens after a frame: most often nothing.
type Outcome = Result<Option<Event>, Fault>;

impl Machine {
    pub(super) fn on_frame(&mut self, head: Head, payload: Bytes) -> Outcome {
        if self.phase == Phase::Settings && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Fault::protocol("its first frame is not SETTINGS"));
        }
        if let Some(stream) = self.block.as_ref().map(|block| block.stream)
            && (head.kind != kind::CONTINUATION || head.stream != stream)
        {
            return Err(Fault::protocol("a header block was interrupted by another frame"));
        }
        match head.kind {
            kind::DATA => self.on_data(head, payload),
            kind::HEADERS => self.on_headers(head, payload),
            kind::CONTINUATION => self.on_continuation(head, &payload),
            kind::RST_STREAM => self.on_reset(head, &payload),
            kind::PUSH_PROMISE => Err(Fault::protocol("a client cannot push")),
            kind::WINDOW_UPDATE => self.on_window_update(head, &payload),
            kind::PRIORITY => self.on_priority(head),
            kind::SETTINGS => self.on_settings(head, payload).map(|()| None),
            kind::PING => self.on_ping(head, &payload).map(|()| None),
            kind::GOAWAY => self.on_go_away(head).map(|()| None),
            // Unknown types are to be ignored (section 4.1).
            _ => self.budget.idle_frame().map(|()| None),
        }
    }

    fn on_data(&mut self, head: Head, payload: Bytes) -> Outcome {
        if head.stream == 0 || head.stream > self.last_stream {
            return Err(Fault::protocol("DATA on a stream that was never opened"));
        }
        self.receive_content(head.length as u32)?;
        let content = without_padding(head, payload)?;
        let is_last = head.has(flag::END_STREAM);
        if content.is_empty() && !is_last {
            self.budget.idle_frame()?;
        }
        let Some(stream) = self.streams.get_mut(head.stream) else { return self.on_closed(head) };
        if !stream.is_remote_open {
            return self.refuse(head.stream, Code::StreamClosed);
        }
        if !stream.room.receive(head.length as u32) {
            return self.refuse(head.stream, Code::FlowControl);
        }
        if let Some(announced) = &mut stream.announced_bytes {
            match announced.checked_sub(content.len() as u64) {
                Some(left) if left == 0 || !is_last => *announced = left,
                _ => return self.refuse(head.stream, Code::Protocol),
            }
        }
        stream.is_remote_open = !is_last;
        if !is_last && let Some(bytes) = stream.room.promise() {
            self.put_promise(head.stream, bytes);
        }
        Ok(Some(Event::Data { stream: head.stream, content, is_last }))
    }

    /// Content counts for the connection's window whatever becomes of it.
    fn receive_content(&mut self, bytes: u32) -> Result<(), Fault> {
        if !self.room.receive(bytes) {
            return Err(Fault::flow_control("more content than the connection has room for"));
        }
        if let Some(bytes) = self.room.promise() {
            self.put_promise(0, bytes);
        }
        Ok(())
    }

    fn put_promise(&mut self, stream: u32, bytes: u32) {
        self.has_promised = true;
        frame::put_numbers(&mut self.outbound, kind::WINDOW_UPDATE, stream, &[bytes]);
    }

    /// Content for a stream that has ended: on its way when we reset it, or the peer's mistake.
    fn on_closed(&mut self, head: Head) -> Outcome {
        let has_room = self.reset.room_mut(head.stream).map(|room| room.receive(head.length as u32));
        match has_room {
            Some(true) => self.budget.idle_frame()?,
            Some(false) => return Err(Fault::flow_control("more content than a stream had room for, after its end")),
            None => {
                self.budget.reset()?;
                frame::put_numbers(&mut self.outbound, kind::RST_STREAM, head.stream, &[Code::StreamClosed as u32]);
            }
        }
        Ok(None)
    }

    /// Breaks off a stream for a mistake that concerns no other.
    fn refuse(&mut self, stream: u32, code: Code) -> Outcome {
        self.budget.reset()?;
        self.reset(stream, code);
        Ok(Some(Event::Reset { stream }))
    }

    fn on_reset(&mut self, head: Head, payload: &[u8]) -> Outcome {
        if payload.len() != 4 {
            return Err(Fault::frame_size("RST_STREAM of a wrong length"));
        }
        if head.stream == 0 || head.stream > self.last_stream {
            return Err(Fault::protocol("RST_STREAM on a stream that was never opened"));
        }
        if self.streams.remove(head.stream).is_none() {
            self.budget.idle_frame()?;
            return Ok(None);
        }
        self.budget.reset()?;
        Ok(Some(Event::Reset { stream: head.stream }))
    }

    fn on_window_update(&mut self, head: Head, mut payload: &[u8]) -> Outcome {
        if payload.len() != 4 {
            return Err(Fault::frame_size("WINDOW_UPDATE of a wrong length"));
        }
        self.budget.idle_frame()?;
        // The highest bit is reserved.
        let bytes = payload.get_u32() & 0x7fff_ffff;
        if head.stream == 0 {
            if bytes == 0 {
                return Err(Fault::protocol("WINDOW_UPDATE of nothing"));
            }
            let grown = self.send.grow(bytes);
            return grown.map(|()| None).map_err(|Overflow| Fault::flow_control("a window of 2^31 bytes or more"));
        }
        if head.stream > self.last_stream {
            return Err(Fault::protocol("WINDOW_UPDATE on a stream that was never opened"));
        }
        let Some(stream) = self.streams.get_mut(head.stream) else { return Ok(None) };
        if bytes == 0 {
            return self.refuse(head.stream, Code::Protocol);
        }
        match stream.send.grow(bytes) {
            Ok(()) => Ok(None),
            Err(Overflow) => self.refuse(head.stream, Code::FlowControl),
        }
    }

    /// Deprecated (section 5.3.2): checked and ignored.
    fn on_priority(&mut self, head: Head) -> Outcome {
        self.budget.idle_frame()?;
        if head.stream == 0 {
            return Err(Fault::protocol("PRIORITY of no stream"));
        }
        if head.length == 5 {
            return Ok(None);
        }
        if head.stream > self.last_stream {
            return Err(Fault::frame_size("PRIORITY of a wrong length"));
        }
        let is_open = self.streams.get(head.stream).is_some();
        if is_open { self.refuse(head.stream, Code::FrameSize) } else { Ok(None) }
    }

    fn on_ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::protocol("PING on a stream"));
        }
        if payload.len() != 8 {
            return Err(Fault::frame_size("PING of a wrong length"));
        }
        self.budget.idle_frame()?;
        if head.has(flag::ACK) {
            self.on_pong(payload);
        } else {
            frame::put(&mut self.outbound, kind::PING, flag::ACK, 0, payload);
        }
        Ok(())
    }

    /// The peer opens no more streams. It says when it has enough of the others by closing the connection.
    fn on_go_away(&mut self, head: Head) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::protocol("GOAWAY on a stream"));
        }
        if head.length < 8 {
            return Err(Fault::frame_size("GOAWAY of a wrong length"));
        }
        self.budget.idle_frame()
    }
}

fn without_padding(head: Head, mut payload: Bytes) -> Result<Bytes, Fault> {
    if head.has(flag::PADDED) {
        const TOO_LONG: Fault = Fault { code: Code::Protocol, what: "padding is longer than its frame" };
        let padding = usize::from(payload.try_get_u8().map_err(|_| TOO_LONG)?);
        payload.truncate(payload.len().checked_sub(padding).ok_or(TOO_LONG)?);
    }
    Ok(payload)
}
