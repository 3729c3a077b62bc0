//! How much work without use a peer may make, counted per period. Whoever has a clock says when a period begins.

use super::{
    fault::Fault,
    limits::{IDLE_FRAMES, RESETS},
};

/// What is left of the present period's allowance.
#[derive(Debug)]
pub(super) struct Budget {
    idle_frames: u32,
    resets: u32,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { idle_frames: IDLE_FRAMES, resets: RESETS }
    }

    /// A frame came that brings nothing forward: it must be handled, and that is all.
    pub(super) fn idle_frame(&mut self) -> Result<(), Fault> {
        self.idle_frames = self
            .idle_frames
            .checked_sub(1)
            .ok_or(Fault::flood("it sends too many frames that bring nothing forward"))?;
        Ok(())
    }

    /// A stream ended before it was answered.
    pub(super) fn reset(&mut self) -> Result<(), Fault> {
        self.resets = self.resets.checked_sub(1).ok_or(Fault::flood("it opens too many streams only to reset them"))?;
        Ok(())
    }
}
