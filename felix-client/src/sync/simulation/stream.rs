//! A stream from a replica's session to a client: production's session and decoder, and frames that take their time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message as _;
use proto::sync::v1 as wire;
use typha::session::{Session, Step};

use super::{
    super::{frame::FrameDecoder, session::candidate::Gathered},
    memory,
    replica::Replica,
    witness::Witness,
};

/// Frames that a connection holds before its session has to wait.
const IN_FLIGHT: usize = 6;

/// A stream with what is on its way.
pub(super) struct Stream {
    pub(super) replica: usize,
    life: u64,
    session: Session,
    decoder: FrameDecoder,
    /// Frames, each with the age of the datastore when it was made.
    frames: VecDeque<(Bytes, Option<Duration>)>,
    has_ended: bool,
}

/// Opened beside the stream, and read until it has all that the client has.
pub(super) struct Candidate {
    pub(super) stream: Stream,
    pub(super) gathered: Gathered,
}

/// What there is to read.
pub(super) enum Read {
    /// A message, and the age of the datastore when it was made.
    Message(Box<wire::Batch>, Option<Duration>),
    /// A message that cannot be read.
    Garbage,
    Nothing,
    End,
}

impl Stream {
    pub(super) fn new(replica: usize, life: u64, session: Session, takes_zstd: bool) -> Self {
        let decoder = FrameDecoder::new(takes_zstd);
        Self { replica, life, session, decoder, frames: VecDeque::new(), has_ended: false }
    }

    /// Lets the session send as much as the connection takes.
    pub(super) fn pump(&mut self, replica: &Replica, now: Instant) {
        if self.life != replica.life {
            self.has_ended = true;
        }
        while !self.has_ended && self.frames.len() < IN_FLIGHT {
            match self.session.next(&replica.published, replica.drain(), &replica.batches, now) {
                Step::Begin(_, frame) | Step::Send(frame) => {
                    self.frames.push_back((frame, replica.published.upstream_age(now)));
                }
                Step::Wait | Step::Queue => return,
                Step::End(_) => self.has_ended = true,
            }
        }
    }

    /// What comes over a wire is a copy: damage of the original later does not reach it.
    pub(super) fn read(&mut self, witness: &mut Witness) -> Read {
        match self.frames.pop_front() {
            Some((frame, age)) => {
                witness.note((self.replica, &frame[..], age));
                let batch = self.decoder.only(Bytes::copy_from_slice(&frame));
                batch.map_or(Read::Garbage, |batch| Read::Message(Box::new(batch), age))
            }
            None if self.has_ended => Read::End,
            None => Read::Nothing,
        }
    }

    /// A bit flips in a frame of entries that others may be sent too; whether there was one.
    pub(super) fn damage(&self, random: &mut fastrand::Rng) -> bool {
        let Some((frame, _)) = self.frames.get(random.usize(..IN_FLIGHT)) else { return false };
        let whole = FrameDecoder::new(true).only(frame.clone());
        let is_of_entries =
            whole.is_some_and(|batch| batch.begin.is_none() && batch.checkpoint.is_none() && batch.go_away.is_none());
        if is_of_entries {
            memory::flip(&frame[random.usize(..frame.len())]);
        }
        is_of_entries
    }
}

impl FrameDecoder {
    /// The batch of a frame that comes in one piece.
    fn only(&mut self, frame: Bytes) -> Option<wire::Batch> {
        self.push(frame);
        let message = self.next().ok()??;
        wire::Batch::decode(message.content).ok()
    }
}
