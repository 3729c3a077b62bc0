//! A client's side in a few words, and what comes back as text that is easy to compare.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::super::{
    fault::{Code, Fault},
    frame::{self, HEAD_BYTES, Head, flag, kind},
    machine::{Event, Machine},
};

/// POST, https, path "/", all by numbers of the static table.
pub(super) const REQUEST: &[u8] = &[0x83, 0x87, 0x84];

/// A machine and what was said to it.
pub(super) struct Peer {
    pub(super) machine: Machine,
}

/// Any frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::put(&mut bytes, kind, flags, stream, payload);
    bytes
}

/// SETTINGS of these.
pub(super) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let put = |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(kind::SETTINGS, 0, 0, &settings.iter().flat_map(put).collect::<Vec<_>>())
}

/// HEADERS of a whole block.
pub(super) fn headers(stream: u32, is_last: bool, block: &[u8]) -> Vec<u8> {
    let end_stream = if is_last { flag::END_STREAM } else { 0 };
    frame(kind::HEADERS, flag::END_HEADERS | end_stream, stream, block)
}

/// DATA.
pub(super) fn data(stream: u32, is_last: bool, content: &[u8]) -> Vec<u8> {
    frame(kind::DATA, if is_last { flag::END_STREAM } else { 0 }, stream, content)
}

/// RST_STREAM, WINDOW_UPDATE: a number for a stream.
pub(super) fn number(kind: u8, stream: u32, number: u32) -> Vec<u8> {
    frame(kind, 0, stream, &number.to_be_bytes())
}

impl Peer {
    /// A connection whose opening is over.
    pub(super) fn open() -> Self {
        Self::open_with(&[])
    }

    pub(super) fn open_with(own: &[(u16, u32)]) -> Self {
        let mut peer = Self { machine: Machine::new() };
        assert_eq!(peer.output(), ["SETTINGS 0"]);
        let opening = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings(own)[..]].concat();
        assert_eq!(peer.say(&opening), Ok(vec![]));
        assert_eq!(peer.output(), ["SETTINGS 0 ack"]);
        peer
    }

    /// Says something; the events that it came to.
    pub(super) fn say(&mut self, bytes: &[u8]) -> Result<Vec<String>, Fault> {
        self.machine.receive(bytes);
        let mut events = Vec::new();
        while let Some(event) = self.machine.next_event()? {
            events.push(match event {
                Event::Request { stream, head, is_last } => {
                    format!("request {stream} {} {}{}", head.method(), head.uri(), last(is_last))
                }
                Event::Data { stream, content, is_last } => format!("data {stream} {}{}", content.len(), last(is_last)),
                Event::Reset { stream } => format!("reset {stream}"),
            });
        }
        Ok(events)
    }

    /// Says something that breaks a rule: what it is called, which the peer is told.
    pub(super) fn fault(&mut self, bytes: &[u8]) -> Code {
        self.output();
        let fault = self.say(bytes).expect_err("a fault");
        let told = self.output();
        let expected = format!("GOAWAY 0 {}", fault.code as u32);
        assert_eq!(told.last(), Some(&expected), "{told:?}");
        assert_eq!(self.say(&frame(kind::PING, 0, 0, &[0; 8])), Ok(vec![]), "nothing is heard any more");
        assert_eq!(self.output(), Vec::<String>::new(), "nothing is said any more");
        fault.code
    }

    /// The frames that were to be written.
    pub(super) fn output(&mut self) -> Vec<String> {
        let bytes = self.machine.take_output();
        let (mut rest, mut frames) = (&bytes[..], Vec::new());
        while let Some((head, behind)) = rest.split_first_chunk::<HEAD_BYTES>() {
            let head = Head::read(*head);
            let (payload, behind) = behind.split_at(head.length);
            frames.push(describe(head, payload));
            rest = behind;
        }
        assert!(rest.is_empty(), "whole frames");
        frames
    }

    /// Answers with status 200, a header, and that is not all.
    pub(super) fn answer(&mut self, stream: u32) {
        let headers: HeaderMap = [(HeaderName::from_static("a"), HeaderValue::from_static("b"))].into_iter().collect();
        self.machine.respond(stream, StatusCode::OK, &headers, false);
    }
}

fn last(is_last: bool) -> &'static str {
    if is_last { " last" } else { "" }
}

fn describe(head: Head, payload: &[u8]) -> String {
    let number = |at: usize| u32::from_be_bytes(*payload[at..].first_chunk().unwrap());
    let stream = head.stream;
    match head.kind {
        kind::HEADERS => format!("HEADERS {stream}{}", last(head.has(flag::END_STREAM))),
        kind::CONTINUATION => format!("CONTINUATION {stream}"),
        kind::SETTINGS => format!("SETTINGS {stream}{}", if head.has(flag::ACK) { " ack" } else { "" }),
        kind::PING => format!("PING{}", if head.has(flag::ACK) { " ack" } else { "" }),
        kind::RST_STREAM => format!("RST_STREAM {stream} {}", number(0)),
        kind::WINDOW_UPDATE => format!("WINDOW_UPDATE {stream} {}", number(0)),
        kind::GOAWAY => format!("GOAWAY {stream} {}", number(4)),
        other => format!("{other} {stream}"),
    }
}
