//! What the peer wants of us (RFC 9113 section 6.5).

use bytes::{Buf as _, Bytes};

use super::super::{
    super::{
        fault::Fault,
        frame::{self, Head, flag, kind},
        limits::{FRAME_BYTES, SETTINGS, TABLE_BYTES, TABLE_BYTES_WANTED},
        window::Overflow,
    },
    Machine, Phase, setting,
};

/// Number and value.
const SETTING_BYTES: usize = 6;
/// What a length of 24 bits can say.
const LONGEST_FRAME_BYTES: u32 = (1 << 24) - 1;
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

impl Machine {
    pub(super) fn on_settings(&mut self, head: Head, mut payload: Bytes) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(Fault::protocol("SETTINGS on a stream"));
        }
        self.budget.idle_frame()?;
        if head.has(flag::ACK) {
            if head.length != 0 {
                return Err(Fault::frame_size("SETTINGS with content as an acknowledgement"));
            }
            self.decoder.limit(TABLE_BYTES_WANTED);
            return Ok(());
        }
        if !head.length.is_multiple_of(SETTING_BYTES) {
            return Err(Fault::frame_size("SETTINGS of a wrong length"));
        }
        if head.length > SETTINGS * SETTING_BYTES {
            return Err(Fault::flood("SETTINGS of more parameters than there are"));
        }
        while payload.has_remaining() {
            self.on_setting(payload.get_u16(), payload.get_u32())?;
        }
        self.phase = Phase::Open;
        frame::put(&mut self.outbound, kind::SETTINGS, flag::ACK, 0, &[]);
        Ok(())
    }

    fn on_setting(&mut self, id: u16, value: u32) -> Result<(), Fault> {
        match id {
            setting::HEADER_TABLE_SIZE => self.encoder.limit(value, TABLE_BYTES),
            setting::ENABLE_PUSH if value > 1 => return Err(Fault::protocol("ENABLE_PUSH is neither 0 nor 1")),
            setting::INITIAL_WINDOW_SIZE => {
                if value > LARGEST_WINDOW {
                    return Err(Fault::flow_control("an initial window of 2^31 bytes or more"));
                }
                let from = std::mem::replace(&mut self.peer.initial_window, value);
                let mut streams = self.streams.iter_mut();
                let shifted = streams.try_for_each(|stream| stream.send.shift(from, value));
                shifted.map_err(|Overflow| Fault::flow_control("a window of 2^31 bytes or more"))?;
            }
            setting::MAX_FRAME_SIZE => {
                if !(FRAME_BYTES as u32..=LONGEST_FRAME_BYTES).contains(&value) {
                    return Err(Fault::protocol("a MAX_FRAME_SIZE outside of its range"));
                }
                self.peer.max_frame_bytes = value as usize;
            }
            // We push nothing, so that its limit of streams never counts; our headers are short; unknown ones are to
            // be ignored.
            _ => {}
        }
        Ok(())
    }
}
