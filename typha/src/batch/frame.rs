//! The gRPC message frame: a flag, a length, a message (gRPC over HTTP/2, "Length-Prefixed-Message").

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;
use proto::sync::v1 as wire;

use crate::store::Entry;

/// A flag byte and a length of four.
pub(crate) const HEADER_BYTES: usize = 5;
/// The flag of a message that is not compressed.
pub(crate) const NOT_COMPRESSED: u8 = 0;
/// The flag of a message in the encoding that the response's headers name.
pub(super) const COMPRESSED: u8 = 1;

/// Frames one message.
pub fn frame(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEADER_BYTES + message.encoded_len());
    put_header(&mut bytes, NOT_COMPRESSED, message.encoded_len());
    bytes.put_slice(&message.encode_to_vec());
    bytes.freeze()
}

/// Frames a batch of encoded entries without decoding them.
pub(super) fn concatenate(entries: &[&Entry], checkpoint: Option<wire::Checkpoint>) -> Bytes {
    let tail = wire::Batch { checkpoint, ..wire::Batch::default() }.encode_to_vec();
    let length = entries.iter().map(|entry| entry.encoded().len()).sum::<usize>() + tail.len();
    let mut bytes = BytesMut::with_capacity(HEADER_BYTES + length);
    put_header(&mut bytes, NOT_COMPRESSED, length);
    for entry in entries {
        bytes.put_slice(entry.encoded());
    }
    bytes.put_slice(&tail);
    bytes.freeze()
}

/// Frames what a message was compressed to.
pub(super) fn compressed(content: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEADER_BYTES + content.len());
    put_header(&mut bytes, COMPRESSED, content.len());
    bytes.put_slice(content);
    bytes.freeze()
}

fn put_header(bytes: &mut BytesMut, flag: u8, length: usize) {
    bytes.put_u8(flag);
    // Entries come from a datastore that refuses values of more than a few MiB.
    bytes.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
}
