//! gRPC's length-prefixed messages out of a stream of chunks, without copying where a message lies in one chunk.
//!
//! Bytes in, messages out; no I/O. A message that is too long is refused as soon as its prefix is seen, a compressed one
//! as soon as it says what it would become.

mod recent;
mod unpack;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// A message may be this long. Typha cuts its batches far shorter, but a single resource may have etcd's largest request
/// (1.5 MiB, up to 10 MiB where it was configured so) and is never split.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// One byte of flags and four of length before each message.
const PREFIX_BYTES: usize = 5;

/// Why bytes are not gRPC messages that we read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// The prefix announces more than we take.
    #[error("a message of {length} bytes was announced; at most {limit} are taken")]
    TooLong {
        /// What was announced.
        length: usize,
        /// The bound.
        limit: usize,
    },
    /// The message is compressed although that was not agreed on.
    #[error("a compressed message came although this client and the server agreed on no compression")]
    Compressed,
    /// A compressed message does not say what it would become.
    #[error("a compressed message came without its length before compression")]
    NoContentSize,
    /// A compressed message would become more than we take.
    #[error("a message of {length} bytes would become {content_bytes} bytes; at most {limit} are taken")]
    Inflated {
        /// Its compressed length.
        length: usize,
        /// What it says that it would become.
        content_bytes: u64,
        /// The bound.
        limit: usize,
    },
    /// A compressed message is damaged.
    #[error("a compressed message of {length} bytes cannot be unpacked: {reason}")]
    Damaged {
        /// Its compressed length.
        length: usize,
        /// What zstd says.
        reason: String,
    },
    /// The flags are none that gRPC knows.
    #[error("a message began with flags {0:#04x}; the peer does not speak gRPC")]
    Flags(u8),
    /// The stream ended within a message.
    #[error("the stream ended within a message")]
    Truncated,
}

/// A whole message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Without prefix and compression.
    pub(super) content: Bytes,
    /// What came over the wire for it, without its prefix.
    pub(super) wire_bytes: usize,
}

/// Cuts a stream of chunks into messages.
#[derive(Debug, Default)]
pub(super) struct FrameDecoder {
    /// Whether messages may be compressed with zstd.
    takes_zstd: bool,
    /// Whether other clients of this process get the same messages.
    has_peers: bool,
    /// The chunk being cut, while nothing of an earlier chunk is left.
    chunk: Bytes,
    /// The head of a message that spreads over chunks; empty otherwise, so that an idle client holds no buffer.
    partial: BytesMut,
}

impl FrameDecoder {
    /// A decoder of messages that may be compressed with zstd, or must not.
    pub(super) fn new(takes_zstd: bool) -> Self {
        Self { takes_zstd, ..Self::default() }
    }

    /// One of many decoders in a process to which the same messages come: they are unpacked once.
    pub(super) fn among_many(takes_zstd: bool) -> Self {
        Self { takes_zstd, has_peers: true, ..Self::default() }
    }

    /// Takes the next chunk. Call [`Self::next`] until it gives `None` before the next one.
    pub(super) fn push(&mut self, chunk: Bytes) {
        if self.partial.is_empty() && self.chunk.is_empty() {
            self.chunk = chunk;
            return;
        }
        let rest = std::mem::take(&mut self.chunk);
        self.partial.extend_from_slice(&rest);
        self.partial.extend_from_slice(&chunk);
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> Result<Option<Message>, FrameError> {
        let buffered = if self.partial.is_empty() { &self.chunk[..] } else { &self.partial[..] };
        let Some((is_compressed, length)) = self.prefix(buffered)? else { return Ok(None) };
        let whole = PREFIX_BYTES + length;
        if buffered.len() < whole {
            self.make_room(whole);
            return Ok(None);
        }
        let mut message =
            if self.partial.is_empty() { self.chunk.split_to(whole) } else { self.partial.split_to(whole).freeze() };
        if self.partial.is_empty() {
            // Gives the buffer back: `split_to` leaves its capacity behind.
            self.partial = BytesMut::new();
        }
        message.advance(PREFIX_BYTES);
        let content = match (is_compressed, self.has_peers) {
            (false, _) => message,
            (true, false) => unpack::zstd(&message, MAX_MESSAGE_BYTES)?,
            (true, true) => recent::zstd(&message, MAX_MESSAGE_BYTES)?,
        };
        Ok(Some(Message { content, wire_bytes: length }))
    }

    /// Whether the stream may end here.
    pub(super) fn finish(&self) -> Result<(), FrameError> {
        if self.chunk.is_empty() && self.partial.is_empty() { Ok(()) } else { Err(FrameError::Truncated) }
    }

    /// Whether the message is compressed, and its length; `None` where the prefix is not whole yet.
    fn prefix(&self, buffered: &[u8]) -> Result<Option<(bool, usize)>, FrameError> {
        let Some(prefix) = buffered.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let [flags, length @ ..] = *prefix;
        let is_compressed = match flags {
            0 => false,
            1 if self.takes_zstd => true,
            1 => return Err(FrameError::Compressed),
            other => return Err(FrameError::Flags(other)),
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > MAX_MESSAGE_BYTES {
            return Err(FrameError::TooLong { length, limit: MAX_MESSAGE_BYTES });
        }
        Ok(Some((is_compressed, length)))
    }

    /// Gathers a long message in one allocation.
    fn make_room(&mut self, whole: usize) {
        let missing = whole.saturating_sub(self.partial.len());
        self.partial.reserve(missing);
        let rest = std::mem::take(&mut self.chunk);
        self.partial.extend_from_slice(&rest);
    }
}

/// A request's message with its prefix.
pub(super) fn encode(message: &impl prost::Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + length);
    framed.put_u8(0);
    framed.put_u32(length as u32);
    framed.put(message.encode_to_vec().as_slice());
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// Every second message compressed.
    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for (number, message) in messages.iter().enumerate() {
            let flag = number % 2;
            let content = if flag == 1 { zstd::bulk::compress(message, 1).unwrap() } else { message.clone() };
            put(&mut stream, flag as u8, &content);
        }
        stream
    }

    fn put(stream: &mut Vec<u8>, flag: u8, content: &[u8]) {
        stream.push(flag);
        stream.extend((content.len() as u32).to_be_bytes());
        stream.extend(content);
    }

    proptest! {
        #[test]
        fn messages_come_out_whole_however_the_stream_is_cut(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in prop::collection::vec(1_usize..23, 1..9),
        ) {
            let stream = framed(&messages);
            let (mut decoder, mut read, mut at) = (FrameDecoder::new(true), Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                if at >= stream.len() { break; }
                let end = stream.len().min(at + cut);
                decoder.push(Bytes::copy_from_slice(&stream[at..end]));
                at = end;
                while let Some(message) = decoder.next().unwrap() { read.push(message.content.to_vec()); }
            }
            prop_assert_eq!(read, messages);
            prop_assert_eq!(decoder.finish(), Ok(()));
        }

        #[test]
        fn garbage_never_panics(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let mut decoder = FrameDecoder::new(true);
            for chunk in chunks {
                decoder.push(chunk.into());
                while let Ok(Some(_)) = decoder.next() {}
            }
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        let refused = |bytes: &[u8]| {
            let mut decoder = FrameDecoder::default();
            decoder.push(Bytes::copy_from_slice(bytes));
            decoder.next().unwrap_err()
        };
        assert_eq!(refused(&[1, 0, 0, 0, 0]), FrameError::Compressed);
        assert_eq!(refused(b"HTTP/"), FrameError::Flags(b'H'));
        assert_eq!(
            refused(&[0, 255, 255, 255, 255]),
            FrameError::TooLong { length: u32::MAX as usize, limit: MAX_MESSAGE_BYTES }
        );
        let mut cut = FrameDecoder::default();
        cut.push(Bytes::from_static(&[0, 0, 0, 0, 9, 1]));
        assert_eq!(cut.next(), Ok(None));
        assert_eq!(cut.finish(), Err(FrameError::Truncated));
    }

    #[test]
    fn compressed_messages_are_unpacked_only_as_far_as_they_may_go() {
        let read = |content: &[u8]| {
            let (mut decoder, mut stream) = (FrameDecoder::new(true), Vec::new());
            put(&mut stream, 1, content);
            decoder.push(stream.into());
            decoder.next()
        };
        let good = zstd::bulk::compress(&[7; 5000], 1).unwrap();
        let message = read(&good).unwrap().unwrap();
        assert_eq!((&message.content[..], message.wire_bytes), (&[7; 5000][..], good.len()));

        let bomb = zstd::bulk::compress(&vec![0; MAX_MESSAGE_BYTES + 1], 1).unwrap();
        let content_bytes = MAX_MESSAGE_BYTES as u64 + 1;
        assert_eq!(
            read(&bomb),
            Err(FrameError::Inflated { length: bomb.len(), content_bytes, limit: MAX_MESSAGE_BYTES })
        );
        let twice = [&good[..], &good[..]].concat();
        assert!(matches!(read(&twice), Err(FrameError::Damaged { .. })), "more than the first frame declares");
        assert!(matches!(read(&good[..good.len() - 1]), Err(FrameError::Damaged { .. })));
        assert!(matches!(read(b"not zstd at all"), Err(FrameError::Damaged { .. })));
        let mut stream = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        stream.write_all(&[7; 5000]).unwrap();
        stream.flush().unwrap();
        let streamed = stream.finish().unwrap();
        assert_eq!(read(&streamed), Err(FrameError::NoContentSize));
    }
}
