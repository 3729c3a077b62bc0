//! How much work without use a peer may make, counted per period. Whoever has a clock says when a period begins.

use super::{
    fault::Fault,
    limits::{CONTENT_BYTES_PER_IDLE_FRAME, IDLE_FRAMES, RESETS},
};

/// What is left of the present period's allowance.
#[derive(Debug)]
pub(super) struct Budget {
    idle_frames: u32,
    /// Content that was sent and that `idle_frames` were not raised for yet.
    sent_bytes: usize,
    resets: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { idle_frames: IDLE_FRAMES, sent_bytes: 0, resets: RESETS }
    }

    /// A frame came that brings nothing forward: it must be handled, and that is all.
    pub(super) fn idle_frame(&mut self) -> Result<(), Fault> {
        self.idle_frames = self
            .idle_frames
            .checked_sub(1)
            .ok_or(Fault::flood("it sends too many frames that bring nothing forward"))?;
        Ok(())
    }

    /// Content was sent, which its receiver answers by making room for more.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes;
        let frames = self.sent_bytes / CONTENT_BYTES_PER_IDLE_FRAME;
        self.sent_bytes %= CONTENT_BYTES_PER_IDLE_FRAME;
        self.idle_frames = IDLE_FRAMES.min(self.idle_frames.saturating_add(u32::try_from(frames).unwrap_or(u32::MAX)));
    }

    /// A stream ended before it was answered, or its headers were of no use.
    pub(super) fn reset(&mut self) -> Result<(), Fault> {
        self.resets = self.resets.checked_sub(1).ok_or(Fault::flood("it opens too many streams only to reset them"))?;
        Ok(())
    }
}
