//! One client's stream as a state machine: a cursor and not a queue.
//!
//! Each time the client can take more, [`Session::next`] looks at the latest state and says what to send. However slow
//! the client, the session holds nothing for it; what changed twice meanwhile is sent once, in its latest state.
//! No I/O and no clock here: `body` is the shell.

mod body;
mod start;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use model::{Version, digest::Digest};
use proto::sync::v1 as wire;

pub(crate) use self::body::SessionBody;
use self::start::{Start, start};
use crate::{
    batch::{Batches, Wanted, frame},
    feed::Published,
    store::{Cursor, View},
};

/// For how many beats (of 5 s) a client may wait for this replica to become in sync, or to catch up with the client's
/// position. Afterwards another replica is the better choice.
const PATIENCE_BEATS: u64 = 2;

/// Ages in checkpoints are rounded down to this, so that sessions can share batches. Whoever acts on the age does so
/// after many seconds.
const AGE_STEP_MS: u64 = 1000;

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
    /// Send this; then ask again.
    Send(Bytes),
    /// Nothing to send until the state changes.
    Wait,
    /// End the stream.
    End(Ending),
}

/// Why the server ends a stream. All of them mean "try another replica".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// This replica has not read the datastore yet.
    #[error("{server} has not read the datastore yet: {complaint}")]
    NotInSync {
        /// The replica.
        server: Arc<str>,
        /// What keeps it.
        complaint: String,
    },
    /// The client has seen more than this replica.
    #[error("{server} is at revision {revision} and the client at {position}; it would take the client back in time")]
    Behind {
        /// The replica.
        server: Arc<str>,
        /// Where it stands.
        revision: Version,
        /// Where the client stands.
        position: Version,
    },
    /// The server drains.
    #[error("{server} is going away: {reason}")]
    Draining {
        /// The replica.
        server: Arc<str>,
        /// Why.
        reason: String,
    },
}

/// One client's stream.
pub struct Session {
    /// This replica's name, for messages.
    server: Arc<str>,
    phase: Phase,
    /// Whether the client was asked to go.
    is_told_to_go: bool,
}

enum Phase {
    /// Nothing was sent yet. The client may have to wait for this replica.
    Starting {
        position: Option<Position>,
        /// The beat at which it began to wait.
        since_beat: Option<u64>,
    },
    /// The client gets what it lacks.
    Streaming(Stream),
}

struct Stream {
    /// The line of history that the client follows.
    epoch: u64,
    /// What was sent.
    cursor: Cursor,
    /// When the client began to look: what was deleted by then, it never saw.
    tombstones_after: Version,
    /// While the client gets a snapshot: the revision at which it will be whole.
    snapshot: Option<Version>,
    /// The beat of the last checkpoint.
    told_at_beat: Option<u64>,
}

impl Session {
    /// A session for a client that stands at `position`, or nowhere.
    pub fn new(server: Arc<str>, position: Option<Position>) -> Self {
        Self { server, phase: Phase::Starting { position, since_beat: None }, is_told_to_go: false }
    }

    /// Up to which revision everything was handed out; 0 before the first checkpoint.
    pub fn position(&self) -> Version {
        match &self.phase {
            Phase::Streaming(Stream { snapshot: None, cursor, .. }) => cursor.complete_to(),
            Phase::Starting { .. } | Phase::Streaming(_) => 0,
        }
    }

    /// What to do next, given the latest state.
    pub fn next(&mut self, latest: &Published, drain: Option<&Drain>, batches: &Batches, now: Instant) -> Step {
        if let Some(drain) = drain.filter(|_| !self.is_told_to_go) {
            self.is_told_to_go = true;
            return self.tell_to_go(drain);
        }
        match &mut self.phase {
            Phase::Starting { position, since_beat } => {
                let since_beat = *since_beat.get_or_insert(latest.beat);
                let (position, is_patient) = (*position, latest.beat < since_beat + PATIENCE_BEATS);
                self.start(latest, position, is_patient, batches)
            }
            Phase::Streaming(stream) => match stream.next(latest, batches, now) {
                Next::Batch(bytes) => Step::Send(bytes),
                Next::StartOver => self.begin(latest, Start::Snapshot, batches),
                Next::Nothing => Step::Wait,
            },
        }
    }

    fn start(&mut self, latest: &Published, position: Option<Position>, is_patient: bool, batches: &Batches) -> Step {
        let server = Arc::clone(&self.server);
        if !latest.in_sync {
            let complaint = latest.complaint.as_deref().unwrap_or("it is still listing").to_owned();
            return if is_patient { Step::Wait } else { Step::End(Ending::NotInSync { server, complaint }) };
        }
        match start(&latest.view, position) {
            Start::Ahead(_) if is_patient => Step::Wait,
            Start::Ahead(position) => Step::End(Ending::Behind { server, revision: latest.view.revision(), position }),
            start => self.begin(latest, start, batches),
        }
    }

    fn begin(&mut self, latest: &Published, start: Start, batches: &Batches) -> Step {
        let (mode, stream) = match start {
            Start::Resume(revision) => (wire::begin::Mode::Resume, Stream::resume(&latest.view, revision)),
            _ => (wire::begin::Mode::Snapshot, Stream::snapshot(&batches.snapshot(&latest.view))),
        };
        self.phase = Phase::Streaming(stream);
        let begin = wire::Begin {
            mode: mode.into(),
            datastore_id: latest.view.datastore_id(),
            server: self.server.to_string(),
        };
        Step::Send(frame(&wire::Batch { begin: Some(begin), ..wire::Batch::default() }))
    }

    fn tell_to_go(&self, drain: &Drain) -> Step {
        if matches!(self.phase, Phase::Starting { .. }) {
            return Step::End(Ending::Draining { server: Arc::clone(&self.server), reason: drain.reason.clone() });
        }
        let within_ms = u32::try_from(drain.within.as_millis()).unwrap_or(u32::MAX);
        let go_away = wire::GoAway { reason: drain.reason.clone(), within_ms };
        Step::Send(frame(&wire::Batch { go_away: Some(go_away), ..wire::Batch::default() }))
    }
}

/// What a stream needs next.
enum Next {
    Batch(Bytes),
    /// The client's place in history is gone.
    StartOver,
    Nothing,
}

impl Stream {
    fn resume(view: &View, revision: Version) -> Self {
        let cursor = Cursor::after(revision);
        Self { epoch: view.epoch(), cursor, tombstones_after: revision, snapshot: None, told_at_beat: None }
    }

    fn snapshot(view: &View) -> Self {
        Self {
            epoch: view.epoch(),
            cursor: Cursor::after(0),
            tombstones_after: view.revision(),
            snapshot: Some(view.revision()),
            told_at_beat: None,
        }
    }

    fn next(&mut self, latest: &Published, batches: &Batches, now: Instant) -> Next {
        let view = &latest.view;
        if self.epoch != view.epoch() || self.tombstones_after.max(self.cursor.complete_to()) < view.floor() {
            return Next::StartOver;
        }
        let target = self.target(view, batches);
        let is_told = self.told_at_beat.is_some_and(|beat| latest.beat <= beat);
        if is_told && self.cursor.covers(target.revision()) {
            return Next::Nothing;
        }
        // A shared snapshot may be a little old. The client is told where it is only when it has the rest too: it may
        // have seen that already, before it lost its state.
        let is_latest = target.revision() == view.revision();
        let wanted = Wanted {
            cursor: self.cursor.clone(),
            tombstones_after: self.tombstones_after,
            checkpoint_age_ms: is_latest.then(|| upstream_age_ms(latest, now)),
        };
        let batch = batches.next(&target, &wanted);
        self.cursor = batch.next;
        if self.cursor.covers(target.revision()) {
            self.tombstones_after = self.cursor.complete_to();
            self.snapshot = None;
            self.told_at_beat = is_latest.then_some(latest.beat);
        }
        Next::Batch(batch.bytes)
    }

    /// The view that the next batch leads to. For a snapshot it is the one that others are getting too. Where that was
    /// replaced meanwhile, the client goes on in the newer one: what it has that changed since is further down there.
    fn target(&mut self, latest: &Arc<View>, batches: &Batches) -> Arc<View> {
        if self.snapshot.is_none() {
            return Arc::clone(latest);
        }
        let view = batches.snapshot(latest);
        self.snapshot = Some(view.revision());
        view
    }
}

fn upstream_age_ms(latest: &Published, now: Instant) -> u64 {
    let age_ms = latest.upstream_age(now).map_or(u64::MAX, |age| age.as_millis() as u64);
    age_ms / AGE_STEP_MS * AGE_STEP_MS
}
