//! HTTP/2 frames and header blocks, right ones and wrong ones. Numbers are those of RFC 9113 and RFC 7541.

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const COMPRESSION_ERROR: u32 = 9;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What a frame may hold unless its receiver allows more.
pub(crate) const FRAME_BYTES: usize = 16 << 10;
pub(crate) const SUBSCRIBE: &str = "/cattail.sync.v1.Sync/Subscribe";
pub(crate) const GRPC: &str = "application/grpc";

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    claim(payload.len(), kind, flags, stream, payload)
}

/// A frame that says that it has another length than it has.
pub(crate) fn claim(length: usize, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).expect("24 bits").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

pub(crate) fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> =
        pairs.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()).collect();
    frame(SETTINGS, 0, 0, &payload)
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

/// An integer behind the bits of a prefix (RFC 7541 section 5.1).
fn integer(first: u8, prefix_bits: u32, mut value: usize) -> Vec<u8> {
    let limit = (1 << prefix_bits) - 1;
    if value < limit {
        return vec![first | value as u8];
    }
    let mut bytes = vec![first | limit as u8];
    value -= limit;
    while value >= 0x80 {
        bytes.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn string(text: &str) -> Vec<u8> {
    [integer(0, 7, text.len()), text.as_bytes().to_vec()].concat()
}

/// A header that no table remembers.
pub(crate) fn literal(name: &str, value: &str) -> Vec<u8> {
    [vec![0], string(name), string(value)].concat()
}

/// A header that goes into the receiver's table.
pub(crate) fn indexed_literal(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], string(name), string(value)].concat()
}

/// A header of a table.
pub(crate) fn index(number: usize) -> Vec<u8> {
    integer(0x80, 7, number)
}

/// A request to change the size of the receiver's table.
pub(crate) fn table_size(bytes: usize) -> Vec<u8> {
    integer(0x20, 5, bytes)
}

/// The headers of a request: POST and https by the static table, the rest as literals.
pub(crate) fn request_headers(path: &str, content_type: &str) -> Vec<u8> {
    let named = [literal(":path", path), literal(":authority", "typha"), literal("content-type", content_type)];
    [vec![0x83, 0x87], named.concat(), literal("te", "trailers")].concat()
}

/// A gRPC message.
pub(crate) fn message(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short").to_be_bytes();
    [&[0][..], &length, content].concat()
}

/// HEADERS of a subscription, whose message is to follow.
pub(crate) fn open_subscription(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &request_headers(SUBSCRIBE, GRPC))
}

/// A whole subscription of a node, named by its stream.
pub(crate) fn subscribe(stream: u32) -> Vec<u8> {
    let node = format!("x{stream}");
    let request = [&[0x0a, node.len() as u8][..], node.as_bytes()].concat();
    [open_subscription(stream), frame(DATA, END_STREAM, stream, &message(&request))].concat()
}
