//! HTTP/2 (RFC 9113) as far as one subscriber needs it: frames out of bytes, and the few frames that it sends.
//!
//! Pure. Header compression is switched off towards us by SETTINGS, and of what a server's headers say only the status
//! 200 is understood; that keeps a connection at a fraction of what a complete implementation holds.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use thiserror::Error;

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length (24 bits), type, flags, stream.
const HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// HPACK (RFC 7541): `:method: POST` and `:scheme: https` by static index, `:status: 200` likewise.
const METHOD_POST: u8 = 0x80 | 3;
const SCHEME_HTTPS: u8 = 0x80 | 7;
const STATUS_200: u8 = 0x80 | 8;

/// HPACK: literals without indexing, whose names are in the static table.
const NAME_AUTHORITY: &[u8] = &[1];
const NAME_PATH: &[u8] = &[4];
const NAME_CONTENT_TYPE: &[u8] = &[0x0f, 31 - 15];
/// HPACK: a literal without indexing whose name follows.
const NAME_FOLLOWS: &[u8] = &[0];

/// What a frame says to a subscriber.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Content of a stream, and whether it ends with it.
    Data { stream: u32, content: Bytes, is_last: bool },
    /// Headers or trailers of a stream: whether they are those of a good response, and whether it ends with them.
    Headers { stream: u32, is_ok: bool, is_last: bool },
    /// The server's settings, to be acknowledged.
    Settings,
    /// To be sent back.
    Ping([u8; 8]),
    /// A stream was broken off.
    Reset { stream: u32, code: u32 },
    /// The connection ends; with code 0 in peace, once its streams have ended.
    GoAway { code: u32 },
    /// Of no concern.
    Other,
}

/// Why bytes are not HTTP/2 that a subscriber understands.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum Http2Error {
    #[error("it sent an HTTP/2 frame of {0} bytes")]
    TooLong(usize),
    #[error("it sent a malformed HTTP/2 frame of type {0}")]
    Malformed(u8),
}

/// Takes the first whole frame out of a buffer.
pub(super) fn take_frame(buffer: &mut BytesMut, max_frame_bytes: u32) -> Result<Option<Frame>, Http2Error> {
    let Some(head) = buffer.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *head;
    let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
    if length > max_frame_bytes as usize {
        return Err(Http2Error::TooLong(length));
    }
    if buffer.len() < HEAD_BYTES + length {
        buffer.reserve(HEAD_BYTES + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEAD_BYTES);
    let payload = buffer.split_to(length).freeze();
    // The highest bit of the stream's number is reserved.
    let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
    read_frame(kind, flags, stream, payload).map(Some).ok_or(Http2Error::Malformed(kind))
}

fn read_frame(kind: u8, flags: u8, stream: u32, payload: Bytes) -> Option<Frame> {
    let is_last = flags & END_STREAM != 0;
    Some(match kind {
        DATA => Frame::Data { stream, content: without_padding(flags, payload)?, is_last },
        HEADERS => Frame::Headers { stream, is_ok: is_ok(&without_padding(flags, payload)?), is_last },
        SETTINGS if flags & ACK == 0 => Frame::Settings,
        PING if flags & ACK == 0 => Frame::Ping(payload.as_ref().try_into().ok()?),
        RST_STREAM => Frame::Reset { stream, code: u32::from_be_bytes(payload.as_ref().try_into().ok()?) },
        GOAWAY => Frame::GoAway { code: u32::from_be_bytes(*payload.get(4..)?.first_chunk()?) },
        _ => Frame::Other,
    })
}

fn without_padding(flags: u8, mut payload: Bytes) -> Option<Bytes> {
    if flags & PADDED != 0 {
        let padding = usize::from(payload.try_get_u8().ok()?);
        payload.truncate(payload.len().checked_sub(padding)?);
    }
    Some(payload)
}

/// Whether a header block begins with status 200, after updates of the table's size (RFC 7541 section 6.3).
fn is_ok(block: &[u8]) -> bool {
    block.iter().find(|byte| **byte & 0xe0 != 0x20) == Some(&STATUS_200)
}

/// What opens a connection: preface, settings, and a window for the whole connection.
pub(super) fn opening(window_bytes: u32, max_frame_bytes: u32) -> BytesMut {
    const HEADER_TABLE_SIZE: u16 = 1;
    const ENABLE_PUSH: u16 = 2;
    const INITIAL_WINDOW_SIZE: u16 = 4;
    const MAX_FRAME_SIZE: u16 = 5;
    const DEFAULT_WINDOW_BYTES: u32 = 65_535;
    let settings = [
        (HEADER_TABLE_SIZE, 0),
        (ENABLE_PUSH, 0),
        (INITIAL_WINDOW_SIZE, window_bytes),
        (MAX_FRAME_SIZE, max_frame_bytes),
    ];
    let mut payload = BytesMut::new();
    for (setting, value) in settings {
        payload.put_u16(setting);
        payload.put_u32(value);
    }
    let mut bytes = BytesMut::from(PREFACE);
    put_frame(&mut bytes, SETTINGS, 0, 0, &payload);
    put_window_update(&mut bytes, 0, window_bytes.saturating_sub(DEFAULT_WINDOW_BYTES));
    bytes
}

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) authority: &'a str,
    pub(super) path: &'a str,
    /// Whether the answer's messages may be compressed with zstd.
    pub(super) takes_zstd: bool,
}

/// A whole request: its headers, and its body in one frame.
pub(super) fn put_request(bytes: &mut BytesMut, stream: u32, call: Call<'_>, body: &[u8]) {
    let mut block = BytesMut::from(&[METHOD_POST, SCHEME_HTTPS][..]);
    put_literal(&mut block, NAME_PATH, call.path);
    put_literal(&mut block, NAME_AUTHORITY, call.authority);
    put_literal(&mut block, NAME_CONTENT_TYPE, "application/grpc");
    block.put_slice(NAME_FOLLOWS);
    put_literal(&mut block, &[], "te");
    put_literal(&mut block, &[], "trailers");
    if call.takes_zstd {
        block.put_slice(NAME_FOLLOWS);
        put_literal(&mut block, &[], "grpc-accept-encoding");
        put_literal(&mut block, &[], "zstd");
    }
    put_frame(bytes, HEADERS, END_HEADERS, stream, &block);
    put_frame(bytes, DATA, END_STREAM, stream, body);
}

/// The answer to settings.
pub(super) fn put_settings_ack(bytes: &mut BytesMut) {
    put_frame(bytes, SETTINGS, ACK, 0, &[]);
}

/// The answer to a ping.
pub(super) fn put_pong(bytes: &mut BytesMut, ping: [u8; 8]) {
    put_frame(bytes, PING, ACK, 0, &ping);
}

/// Room for more content, on a stream or (0) on the connection.
pub(super) fn put_window_update(bytes: &mut BytesMut, stream: u32, increment: u32) {
    put_frame(bytes, WINDOW_UPDATE, 0, stream, &increment.to_be_bytes());
}

fn put_frame(bytes: &mut BytesMut, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.put_uint(payload.len() as u64, 3);
    bytes.put_u8(kind);
    bytes.put_u8(flags);
    bytes.put_u32(stream);
    bytes.put_slice(payload);
}

/// A string literal (RFC 7541 section 5.2), not Huffman-coded, after the representation of its name.
fn put_literal(block: &mut BytesMut, name: &[u8], value: &str) {
    const ONE_BYTE_LIMIT: usize = 0x7f;
    block.put_slice(name);
    let mut length = value.len();
    if length < ONE_BYTE_LIMIT {
        block.put_u8(length as u8);
    } else {
        block.put_u8(ONE_BYTE_LIMIT as u8);
        length -= ONE_BYTE_LIMIT;
        while length >= 0x80 {
            block.put_u8(0x80 | (length & 0x7f) as u8);
            length >>= 7;
        }
        block.put_u8(length as u8);
    }
    block.put_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: u32 = 1000;

    fn framed(kind: u8, flags: u8, payload: &[u8]) -> BytesMut {
        let mut bytes = BytesMut::new();
        put_frame(&mut bytes, kind, flags, 5, payload);
        bytes
    }

    #[test]
    fn frames_are_read() {
        let read = |mut bytes: BytesMut| take_frame(&mut bytes, LIMIT);
        let data = |content: &'static [u8]| Frame::Data { stream: 5, content: content.into(), is_last: true };
        assert_eq!(read(framed(DATA, END_STREAM, b"abc")), Ok(Some(data(b"abc"))));
        assert_eq!(read(framed(DATA, END_STREAM | PADDED, b"\x02abcXX")), Ok(Some(data(b"abc"))));
        assert_eq!(read(framed(DATA, PADDED, b"\x09abc")), Err(Http2Error::Malformed(DATA)));
        let headers = |is_ok| Ok(Some(Frame::Headers { stream: 5, is_ok, is_last: false }));
        assert_eq!(read(framed(HEADERS, END_HEADERS, &[0x20, 0x88])), headers(true));
        assert_eq!(read(framed(HEADERS, END_HEADERS, &[0x8d])), headers(false));
        assert_eq!(read(framed(PING, 0, b"12345678")), Ok(Some(Frame::Ping(*b"12345678"))));
        assert_eq!(read(framed(PING, 0, b"1")), Err(Http2Error::Malformed(PING)));
        assert_eq!(read(framed(GOAWAY, 0, &[0, 0, 0, 1, 0, 0, 0, 2])), Ok(Some(Frame::GoAway { code: 2 })));
        assert_eq!(read(framed(SETTINGS, ACK, b"")), Ok(Some(Frame::Other)));
        assert_eq!(read(framed(DATA, 0, &[0; 1001])), Err(Http2Error::TooLong(1001)));
    }

    #[test]
    fn long_strings_have_their_length_in_many_bytes() {
        let mut block = BytesMut::new();
        put_literal(&mut block, &[], &"x".repeat(127 + 200));
        // RFC 7541 section 5.1, with a prefix of seven bits: 127, then 200 in groups of seven, lowest first.
        assert_eq!(block[..3], [0x7f, 0xc8, 1]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = take_frame(&mut buffer, LIMIT) {}
        }
    }
}
