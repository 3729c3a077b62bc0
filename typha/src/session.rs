//! One client's stream as a state machine: a cursor and not a queue.
//!
//! Each time the client can take more, [`Session::next`] looks at the latest state and says what to send. However slow
//! the client, the session holds nothing for it; what changed twice meanwhile is sent once, in its latest state.
//! No I/O and no clock here: `body` is the shell.

mod body;
mod ending;
mod start;
mod stream;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use model::{
    Version,
    digest::{Digest, RangeSet, Ranges},
};
use proto::sync::v1::{self as wire, begin::Mode};

pub(crate) use self::body::SessionBody;
pub use self::ending::Ending;
use self::{
    start::{Start, start},
    stream::{Next, Stream},
};
use crate::{
    batch::{Batches, Encoding, frame},
    feed::Published,
};

/// For how many beats (of 5 s) a client may wait for this replica to become in sync, or to catch up with the client's
/// position. Afterwards another replica is the better choice.
const PATIENCE_BEATS: u64 = 2;

/// Where a client says that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The datastore it is about.
    pub datastore_id: u64,
    /// Up to which revision the client has everything.
    pub revision: Version,
    /// The digest of the client's state.
    pub digest: Digest,
}

/// What a client says of its state beside its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The digests of its ranges.
    pub ranges: Ranges,
    /// Whether it found that its state or a server's is wrong.
    pub compare: bool,
}

/// How clients are asked to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Why, in words for a log line.
    pub reason: String,
    /// How long they may take.
    pub within: Duration,
}

/// What to do next for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this, with which the stream begins, or begins anew; then ask again.
    Begin(Mode, Bytes),
    /// Send this; then ask again.
    Send(Bytes),
    /// Nothing to send until the state changes.
    Wait,
    /// End the stream.
    End(Ending),
}

/// One client's stream.
pub struct Session {
    /// This replica's name, for messages.
    server: Arc<str>,
    /// The form in which the client takes batches.
    encoding: Encoding,
    phase: Phase,
    /// Whether the client was asked to go.
    is_told_to_go: bool,
}

enum Phase {
    /// Nothing was sent yet. The client may have to wait for this replica.
    Starting {
        position: Option<Position>,
        claim: Option<Arc<Claim>>,
        /// The beat at which it began to wait.
        since_beat: Option<u64>,
    },
    /// The client gets what it lacks.
    Streaming(Stream),
    /// The client is not served. It is to be told why.
    Refused(Ending),
    /// The client was told why its stream ends.
    Ending(Ending),
}

impl Session {
    /// A session for a client that stands at `position`, or nowhere.
    pub fn new(server: Arc<str>, encoding: Encoding, position: Option<Position>, claim: Option<Claim>) -> Self {
        let claim = claim.map(Arc::new);
        Self { server, encoding, phase: Phase::Starting { position, claim, since_beat: None }, is_told_to_go: false }
    }

    /// A session that only tells a client why it is not served.
    pub fn refusal(server: Arc<str>, ending: Ending) -> Self {
        Self { server, encoding: Encoding::Identity, phase: Phase::Refused(ending), is_told_to_go: true }
    }

    /// Up to which revision everything was handed out; 0 before the first checkpoint.
    pub fn position(&self) -> Version {
        match &self.phase {
            Phase::Streaming(stream) => stream.position(),
            Phase::Starting { .. } | Phase::Refused(_) | Phase::Ending(_) => 0,
        }
    }

    /// What to do next, given the latest state.
    pub fn next(&mut self, latest: &Published, drain: Option<&Drain>, batches: &Batches, now: Instant) -> Step {
        if let Some(drain) = drain.filter(|_| !self.is_told_to_go) {
            self.is_told_to_go = true;
            return self.tell_to_go(drain);
        }
        match &mut self.phase {
            Phase::Starting { position, claim, since_beat } => {
                let since_beat = *since_beat.get_or_insert(latest.beat);
                let (position, is_patient) = (*position, latest.beat < since_beat + PATIENCE_BEATS);
                let start = start(&latest.view, position, claim.as_deref());
                self.start(latest, start, is_patient, batches)
            }
            Phase::Streaming(stream) => match stream.next(latest, batches, self.encoding, now) {
                Next::Batch(bytes) => Step::Send(bytes),
                Next::StartOver => self.begin(latest, Start::Snapshot, batches),
                Next::Nothing => Step::Wait,
            },
            Phase::Refused(ending) => {
                let ending = ending.clone();
                self.end(ending)
            }
            Phase::Ending(ending) => Step::End(ending.clone()),
        }
    }

    fn start(&mut self, latest: &Published, start: Start, is_patient: bool, batches: &Batches) -> Step {
        let server = Arc::clone(&self.server);
        if !latest.in_sync {
            let complaint = latest.complaint.as_deref().unwrap_or("it is still listing").to_owned();
            return if is_patient { Step::Wait } else { self.end(Ending::NotInSync { server, complaint }) };
        }
        match start {
            Start::Ahead(_) if is_patient => Step::Wait,
            Start::Ahead(position) => self.end(Ending::Behind { server, revision: latest.view.revision(), position }),
            start => self.begin(latest, start, batches),
        }
    }

    /// Tells the client why; the next step ends the stream.
    fn end(&mut self, ending: Ending) -> Step {
        let words = ending.last_words();
        (self.phase, self.is_told_to_go) = (Phase::Ending(ending), true);
        Step::Send(frame(&wire::Batch { go_away: Some(words), ..wire::Batch::default() }))
    }

    fn begin(&mut self, latest: &Published, start: Start, batches: &Batches) -> Step {
        let (mode, ranges, stream) = match start {
            Start::Resume(revision) => (Mode::Resume, None, Stream::resume(&latest.view, revision)),
            Start::Repair(ranges) => (Mode::Repair, Some(ranges), Stream::repair(&latest.view, ranges)),
            _ => (Mode::Snapshot, None, Stream::snapshot(&batches.snapshot(&latest.view))),
        };
        self.phase = Phase::Streaming(stream);
        let begin = wire::Begin {
            mode: mode.into(),
            datastore_id: latest.view.datastore_id(),
            server: self.server.to_string(),
            ranges: ranges.map(|ranges: RangeSet| Bytes::copy_from_slice(&ranges.to_bytes())).unwrap_or_default(),
        };
        Step::Begin(mode, frame(&wire::Batch { begin: Some(begin), ..wire::Batch::default() }))
    }

    fn tell_to_go(&mut self, drain: &Drain) -> Step {
        if matches!(self.phase, Phase::Starting { .. }) {
            return self.end(Ending::Draining { server: Arc::clone(&self.server), reason: drain.reason.clone() });
        }
        let within_ms = u32::try_from(drain.within.as_millis()).unwrap_or(u32::MAX);
        let (reason, kind) = (drain.reason.clone(), wire::go_away::Kind::Draining.into());
        let go_away = wire::GoAway { reason, within_ms, kind, ..wire::GoAway::default() };
        Step::Send(frame(&wire::Batch { go_away: Some(go_away), ..wire::Batch::default() }))
    }
}
