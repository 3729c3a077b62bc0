//! HTTP/2's bytes through the light client's reader.

use bytes::BytesMut;

use super::http2::{Frame, Http2Error, take_frame};
use crate::sync::transport::MAX_FRAME_BYTES;

/// However a stream is cut into chunks (of the length that the first byte says), the same frames come out of it.
pub fn http2(bytes: &[u8]) {
    let Some((chunk, stream)) = bytes.split_first() else { return };
    let cut = frames(stream.chunks(usize::from(*chunk).max(1)));
    assert_eq!(frames([stream]), cut, "the chunks of a stream make a difference");
}

fn frames<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<Http2Error>) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        loop {
            match take_frame(&mut buffer, MAX_FRAME_BYTES) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}
