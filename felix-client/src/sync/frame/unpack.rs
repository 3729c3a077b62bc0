//! Decompression that cannot be made to take more memory than a message may have.

use std::cell::RefCell;

use bytes::Bytes;
use zstd::{bulk::Decompressor, zstd_safe::get_frame_content_size};

use super::FrameError;

thread_local! {
    /// A decompressor holds about 100 KB. One for each thread serves any number of clients, none of which holds anything
    /// between two messages.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Unpacks a message that says what it becomes, if that is no more than the limit.
pub(super) fn zstd(message: &[u8], limit: usize) -> Result<Bytes, FrameError> {
    let length = message.len();
    let damaged = |reason: String| FrameError::Damaged { length, reason };
    let declared = get_frame_content_size(message).map_err(|_| damaged("it is no zstd frame".to_owned()))?;
    let content_bytes = declared.ok_or(FrameError::NoContentSize)?;
    let capacity = usize::try_from(content_bytes).ok().filter(|bytes| *bytes <= limit);
    let capacity = capacity.ok_or(FrameError::Inflated { length, content_bytes, limit })?;
    let content = decompress(message, capacity).map_err(|error| damaged(error.to_string()))?;
    if content.len() != capacity {
        return Err(damaged(format!("it has {} bytes where it announced {capacity}", content.len())));
    }
    Ok(content.into())
}

fn decompress(message: &[u8], capacity: usize) -> std::io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| {
        let decompressor = match decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new()?),
        };
        decompressor.decompress(message, capacity)
    })
}
