//! A framed message made smaller with zstd.

use bytes::Bytes;
use zstd::bulk::Compressor;

use super::frame::{HEADER_BYTES, compressed};

/// Shorter messages go as they are: single updates, beats. Each client would spend more on unpacking them than either
/// end spends on sending them.
const WORTH_BYTES: usize = 512;

/// The fastest of the usual levels. A message is compressed while those who want it wait.
const LEVEL: i32 = 1;

/// The compressor and its memory, kept from one message to the next.
#[derive(Default)]
pub(super) struct Compression {
    /// Made when something is compressed for the first time.
    compressor: Option<Compressor<'static>>,
    /// What a message may take before its length is known.
    scratch: Vec<u8>,
}

impl Compression {
    /// The same message compressed, where that makes it shorter.
    pub(super) fn compress(&mut self, frame: Bytes) -> Bytes {
        if frame.len() < WORTH_BYTES {
            return frame;
        }
        match self.content(&frame[HEADER_BYTES..]) {
            Ok(content) if content.len() + HEADER_BYTES < frame.len() => compressed(content),
            Ok(_) => frame,
            Err(error) => {
                tracing::error!("a message is sent uncompressed, because zstd failed: {error}");
                frame
            }
        }
    }

    fn content(&mut self, message: &[u8]) -> std::io::Result<&[u8]> {
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(LEVEL)?),
        };
        self.scratch.clear();
        self.scratch.reserve(zstd::zstd_safe::compress_bound(message.len()));
        compressor.compress_to_buffer(message, &mut self.scratch)?;
        Ok(&self.scratch)
    }
}
