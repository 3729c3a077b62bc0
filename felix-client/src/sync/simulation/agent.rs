//! A client: the production protocol, ledger and decoder, streams whose frames take their time, and a check of everything
//! that is handed on.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use model::{
    Key, Version,
    digest::{Digest, Ranges},
};
use prost::Message as _;
use proto::sync::v1::{self as wire, begin::Mode};
use typha::{
    batch::Encoding,
    session::{Claim, Position, Session, Step, Subscription},
};

use super::{
    super::{
        frame::FrameDecoder,
        protocol::{Cut, Protocol, ProtocolError},
    },
    Defect, Reached,
    datastore::{Datastore, digest_of},
    memory,
    replica::Replica,
};

/// Frames that a connection holds before its session has to wait.
const IN_FLIGHT: usize = 6;

#[derive(Default)]
pub(super) struct Agent {
    pub(super) encoding: Encoding,
    pub(super) protocol: Protocol,
    /// What the consumer was given.
    pub(super) state: BTreeMap<Key, (Bytes, Version)>,
    /// Which datastore's past the state is of, and of when.
    at: (u64, Version),
    /// What `begin` said last.
    begun: u64,
    pub(super) stream: Option<Stream>,
    /// A stream that may take the other's place.
    pub(super) candidate: Option<Candidate>,
    put_off: u32,
    pub(super) reached: Reached,
}

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
    gathered: wire::Batch,
}

impl Agent {
    pub(super) fn new(number: usize) -> Self {
        let encoding = if number.is_multiple_of(2) { Encoding::Zstd } else { Encoding::Identity };
        Self { encoding, ..Self::default() }
    }

    /// A new process, with nothing.
    pub(super) fn restart(&mut self) {
        *self = Self { encoding: self.encoding, reached: self.reached, ..Self::default() };
    }

    pub(super) fn connect(&mut self, number: usize, replica: &mut Replica, now: Instant) {
        self.protocol.closed();
        self.candidate = None;
        self.stream = Some(self.open(number, replica, false, now));
    }

    /// Looks at another replica without leaving the present one.
    pub(super) fn try_another(&mut self, number: usize, replica: &mut Replica, now: Instant) {
        if self.protocol.position().is_some_and(|position| !position.compare) && self.stream.is_some() {
            let stream = self.open(number, replica, true, now);
            self.candidate = Some(Candidate { stream, gathered: wire::Batch::default() });
        }
    }

    /// What the production client's request becomes at typha's door.
    fn open(&self, number: usize, replica: &mut Replica, resume_only: bool, now: Instant) -> Stream {
        let position = self.protocol.position();
        let claim = position.as_ref().map(|position| Claim {
            ranges: Ranges::from_bytes(&position.ranges).expect("ranges"),
            compare: position.compare,
        });
        let position = position.map(|position| Position {
            datastore_id: position.datastore_id,
            revision: position.revision,
            digest: Digest::from_bytes(&position.digest).expect("a digest"),
        });
        let doubted = claim.as_ref().and_then(|claim| claim.doubted(position, &replica.published.view));
        let complaint = doubted.map(|ranges| replica.complain(ranges, now));
        let subscription = Subscription { position, claim, put_off: self.put_off, resume_only };
        let (name, admission) = (replica.name.clone(), replica.admission.clone());
        Stream {
            replica: number,
            life: replica.life,
            session: Session::new(name, self.encoding, subscription, admission).after_complaint(complaint),
            decoder: FrameDecoder::new(self.encoding == Encoding::Zstd),
            frames: VecDeque::new(),
            has_ended: false,
        }
    }

    /// Takes up to so many frames of its stream. Where that ends, or is refused, the client has none any more.
    pub(super) fn read(&mut self, frames: usize, datastore: &Datastore, defect: Option<Defect>) {
        for _ in 0..frames {
            let Some(stream) = &mut self.stream else { return };
            let Some((frame, age)) = stream.frames.pop_front() else {
                if stream.has_ended {
                    self.disconnect();
                }
                return;
            };
            let Some(batch) = stream.decode(&frame) else {
                self.protocol.distrust();
                return self.disconnect();
            };
            self.take(batch, age, datastore, defect);
        }
    }

    fn disconnect(&mut self) {
        self.protocol.closed();
        (self.stream, self.candidate) = (None, None);
    }

    fn take(&mut self, batch: wire::Batch, age: Option<Duration>, datastore: &Datastore, defect: Option<Defect>) {
        match batch.begin.as_ref().map(wire::Begin::mode) {
            Some(Mode::Snapshot) => self.reached.snapshots += 1,
            Some(Mode::Resume) => self.reached.resumes += 1,
            Some(Mode::Repair) => self.reached.repairs += 1,
            _ => {}
        }
        let begun = batch.begin.as_ref().map(|begin| begin.datastore_id);
        let is_busy = batch.go_away.as_ref().is_some_and(|word| word.kind() == wire::go_away::Kind::Busy);
        self.put_off = if is_busy { self.put_off + 1 } else { self.put_off };
        match self.protocol.on_batch(batch) {
            Ok(step) => {
                self.begun = begun.unwrap_or(self.begun);
                if let Some(cut) = step.cut {
                    self.put_off = 0;
                    self.act(cut, age, datastore, defect);
                }
            }
            Err(error) => {
                self.reached.mismatches += u64::from(matches!(error, ProtocolError::DigestMismatch { .. }));
                self.disconnect();
            }
        }
    }

    /// What an agent does with a cut, and what must be true of it then.
    fn act(&mut self, cut: Cut, age: Option<Duration>, datastore: &Datastore, defect: Option<Defect>) {
        let at = (self.begun, cut.revision);
        if defect != Some(Defect::ConsumerForgets) {
            for update in cut.updates {
                match update.value {
                    Some(value) => self.state.insert(update.key, (value, update.revision)),
                    None => self.state.remove(&update.key),
                };
            }
        }
        assert!(self.at.0 != at.0 || self.at.1 <= at.1, "back in time from {:?} to {at:?}", self.at);
        assert_eq!(
            digest_of(&self.state),
            datastore.digest_at(at.0, at.1),
            "no state that the datastore had at {at:?}"
        );
        // Ages are told in whole seconds. A frame that was gathered has none of its own.
        let told = age.map(|age| Duration::from_secs(age.as_secs()));
        assert!(
            told.is_none_or(|age| cut.upstream_age == age),
            "an age of {:?} was told as {:?}",
            age,
            cut.upstream_age
        );
        self.at = at;
        self.reached.cuts += 1;
    }

    /// Reads up to so many frames of the candidate, and moves when it has caught up.
    pub(super) fn read_candidate(&mut self, frames: usize, datastore: &Datastore, defect: Option<Defect>) {
        for _ in 0..frames {
            let Some(candidate) = &mut self.candidate else { return };
            let Some((frame, _)) = candidate.stream.frames.pop_front() else {
                self.candidate = self.candidate.take().filter(|candidate| !candidate.stream.has_ended);
                return;
            };
            let batch = candidate.stream.decode(&frame);
            if !batch.is_some_and(|batch| candidate.gather(batch)) {
                self.candidate = None;
                return;
            }
            if candidate.gathered.checkpoint.as_ref().is_some_and(|checkpoint| checkpoint.revision >= self.at.1)
                && let Some(Candidate { stream, gathered }) = self.candidate.take()
            {
                self.stream = Some(stream);
                self.reached.moves += 1;
                self.take(gathered, None, datastore, defect);
                return;
            }
        }
    }
}

impl Candidate {
    /// False where it is of no use.
    fn gather(&mut self, batch: wire::Batch) -> bool {
        let is_resumed = batch.begin.as_ref().is_none_or(|begin| begin.mode() == Mode::Resume);
        if batch.go_away.is_some() || !is_resumed || (batch.begin.is_some() && self.gathered.begin.is_some()) {
            return false;
        }
        self.gathered.begin = batch.begin.or(self.gathered.begin.take());
        self.gathered.entries.extend(batch.entries);
        self.gathered.checkpoint = batch.checkpoint.or(self.gathered.checkpoint.take());
        true
    }
}

impl Stream {
    /// Lets the session send as much as the connection takes.
    pub(super) fn pump(&mut self, replica: &Replica, now: Instant) {
        if self.life != replica.life {
            self.has_ended = true;
        }
        while !self.has_ended && self.frames.len() < IN_FLIGHT {
            match self.session.next(&replica.published, None, &replica.batches, now) {
                Step::Begin(_, frame) | Step::Send(frame) => {
                    self.frames.push_back((frame, replica.published.upstream_age(now)));
                }
                Step::Wait | Step::Queue => return,
                Step::End(_) => self.has_ended = true,
            }
        }
    }

    /// A bit flips in a frame of entries that others may be sent too.
    pub(super) fn damage(&self, random: &mut fastrand::Rng) {
        let Some((frame, _)) = self.frames.get(random.usize(..IN_FLIGHT)) else { return };
        let whole = FrameDecoder::new(true).only(frame.clone());
        if whole.is_some_and(|batch| batch.begin.is_none() && batch.checkpoint.is_none() && batch.go_away.is_none()) {
            memory::flip(&frame[random.usize(..frame.len())]);
        }
    }

    /// What comes over a wire is a copy: damage of the original later does not reach it.
    fn decode(&mut self, frame: &Bytes) -> Option<wire::Batch> {
        self.decoder.only(Bytes::copy_from_slice(frame))
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
