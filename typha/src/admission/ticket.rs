//! A client's place, for as long as it needs one.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use super::{Admission, Answer};

/// A client's place. Dropping it gives the share, or the place in line, to others.
pub struct Ticket {
    admission: Arc<Admission>,
    number: u64,
    /// What was handed out and, as far as is known, not taken yet.
    handed_bytes: u64,
}

impl Ticket {
    pub(super) fn new(admission: Arc<Admission>, number: u64) -> Self {
        Self { admission, number, handed_bytes: 0 }
    }

    /// Whether the client may be sent something now. To ask means that it took what was handed out before.
    pub fn answer(&mut self, now: Instant) -> Answer {
        self.admission.answer(self.number, std::mem::take(&mut self.handed_bytes), now)
    }

    /// So much is on its way to the client.
    pub fn hand_out(&mut self, bytes: usize) {
        self.handed_bytes = bytes as u64;
    }

    /// Ready when it is worth asking again.
    pub fn poll_turn(&self, context: &mut Context<'_>) -> Poll<()> {
        self.admission.poll_turn(self.number, context)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.leave(self.number);
    }
}
