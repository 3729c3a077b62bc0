//! A stream's bytes through everything that looks at them: frames, messages, the protocol.

use bytes::Bytes;
use model::Version;
use prost::Message as _;
use proto::sync::v1::{Batch, Position};

pub use super::light::fuzzing::http2;
use super::{
    frame::{FrameDecoder, FrameError, MAX_MESSAGE_BYTES},
    protocol::Protocol,
};

/// gRPC's frames: the first byte says whether zstd is taken, the second how long chunks are. However a stream is cut
/// into chunks, the same messages come out of it.
pub fn frames(bytes: &[u8]) {
    let [flags, chunk, stream @ ..] = bytes else { return };
    let takes_zstd = flags % 2 == 1;
    let whole = messages(takes_zstd, [stream]);
    let cut = messages(takes_zstd, stream.chunks(usize::from(*chunk).max(1)));
    assert_eq!(whole, cut, "the chunks of a stream make a difference");
}

/// All messages up to the first error, and that.
fn messages<'a>(takes_zstd: bool, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Bytes>, Option<FrameError>) {
    let (mut decoder, mut messages) = (FrameDecoder::new(takes_zstd), Vec::new());
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next() {
                Ok(Some(message)) => {
                    assert!(message.content.len() <= MAX_MESSAGE_BYTES, "a message is longer than any may be");
                    messages.push(message.content);
                }
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, decoder.finish().err())
}

/// A session of streams: gRPC messages, each of them a batch. One that is empty ends a stream. Whatever comes, the
/// position never goes back within a datastore.
pub fn protocol(bytes: &[u8]) {
    let mut protocol = Protocol::default();
    let mut held: Option<(u64, Version)> = None;
    for message in messages(false, [bytes]).0 {
        if message.is_empty() {
            protocol.closed();
        } else if let Ok(batch) = Batch::decode(message) {
            let before = stands(&protocol).is_some();
            let outcome = protocol.on_batch(batch);
            let cut = outcome.ok().and_then(|step| step.cut);
            assert!(cut.is_none() || stands(&protocol).is_some(), "a cut was handed on and nothing is held");
            assert!(cut.is_some() || before || stands(&protocol).is_none(), "something is held and nothing came");
        }
        let Some(position) = stands(&protocol) else { continue };
        if let Some((_, revision)) = held.filter(|(datastore, _)| *datastore == position.datastore_id) {
            assert!(position.revision >= revision, "went back from {revision} to {}", position.revision);
        }
        held = Some((position.datastore_id, position.revision));
    }
}

/// Where the client stands; a complaint of a wrong digest is no place.
fn stands(protocol: &Protocol) -> Option<Position> {
    protocol.position().filter(|position| position.revision > 0 || !position.compare)
}
