//! One client's stream as a state machine: a cursor and not a queue.
//!
//! Each time the client can take more, [`Session::next`] looks at the latest state and says what to send. However slow
//! the client, the session holds nothing for it; what changed twice meanwhile is sent once, in its latest state.
//! No I/O and no clock here: `body` is the shell.

mod body;
mod doubt;
mod ending;
mod start;
mod stream;
mod subscription;

#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use model::{Version, digest::RangeSet};
use proto::sync::v1::{self as wire, begin::Mode};

pub(crate) use self::body::SessionBody;
pub use self::{
    ending::Ending,
    subscription::{Claim, Position, Subscription},
};
use self::{
    start::{Start, start},
    stream::{Next, Stream},
};
use crate::{
    admission::{Admission, Answer, Ticket},
    batch::{Batches, Encoding, frame},
    feed::Published,
};

/// For how many beats (of 5 s) a client may wait for this replica to become in sync, or to catch up with the client's
/// position. Afterwards another replica is the better choice.
const PATIENCE_BEATS: u64 = 2;

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
    /// Nothing to send until the client's turn comes, see [`Session::poll_turn`], or the next beat, see
    /// [`Session::has_begun`].
    Queue,
    /// End the stream.
    End(Ending),
}

/// One client's stream.
pub struct Session {
    /// This replica's name, for messages.
    server: Arc<str>,
    /// The form in which the client takes batches.
    encoding: Encoding,
    admission: Arc<Admission>,
    /// The client's place where it needs much, from when it asks until it has taken everything.
    ticket: Option<Ticket>,
    phase: Phase,
    /// Whether the client was asked to go.
    is_told_to_go: bool,
    /// The number of the client's complaint, which is looked into before it is served.
    doubt: Option<u64>,
    /// Since which beat the stream pauses, because the state here is not whole.
    paused_since_beat: Option<u64>,
    /// The beat of the last message; none before the first one.
    spoke_at_beat: Option<u64>,
}

enum Phase {
    /// Nothing was sent yet. The client may have to wait for this replica.
    Starting {
        subscription: Arc<Subscription>,
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
    /// A session for a client that subscribes.
    pub fn new(server: Arc<str>, encoding: Encoding, subscription: Subscription, admission: Arc<Admission>) -> Self {
        let phase = Phase::Starting { subscription: Arc::new(subscription), since_beat: None };
        Self {
            server,
            encoding,
            admission,
            ticket: None,
            phase,
            is_told_to_go: false,
            doubt: None,
            paused_since_beat: None,
            spoke_at_beat: None,
        }
    }

    /// The same, for a client whose complaint has a number.
    pub fn after_complaint(self, number: Option<u64>) -> Self {
        Self { doubt: number, ..self }
    }

    /// The same, for a client that is not served but told why.
    pub fn refused(self, ending: Ending) -> Self {
        Self { phase: Phase::Refused(ending), is_told_to_go: true, ..self }
    }

    /// Up to which revision everything was handed out; 0 before the first checkpoint.
    pub fn position(&self) -> Version {
        match &self.phase {
            Phase::Streaming(stream) => stream.position(),
            Phase::Starting { .. } | Phase::Refused(_) | Phase::Ending(_) => 0,
        }
    }

    /// What to do next, given the latest state. To ask means that the client has taken what was sent before.
    pub fn next(&mut self, latest: &Published, drain: Option<&Drain>, batches: &Batches, now: Instant) -> Step {
        let step = self.step(latest, drain, batches, now);
        if let Step::Begin(_, bytes) | Step::Send(bytes) = &step {
            self.spoke_at_beat = Some(latest.beat);
            if let Some(ticket) = &mut self.ticket {
                ticket.hand_out(bytes.len());
            }
        }
        step
    }

    /// Whether the client was sent something. From then on it takes silence for a dead server, and each beat is worth
    /// asking for the next step.
    pub fn has_begun(&self) -> bool {
        self.spoke_at_beat.is_some()
    }

    /// After [`Step::Queue`]: ready when it is worth asking for the next step.
    pub fn poll_turn(&self, context: &mut Context<'_>) -> Poll<()> {
        self.ticket.as_ref().map_or(Poll::Ready(()), |ticket| ticket.poll_turn(context))
    }

    fn step(&mut self, latest: &Published, drain: Option<&Drain>, batches: &Batches, now: Instant) -> Step {
        if let Some(drain) = drain.filter(|_| !self.is_told_to_go) {
            self.is_told_to_go = true;
            return self.tell_to_go(drain);
        }
        match &mut self.phase {
            Phase::Starting { subscription, since_beat } => {
                let since_beat = *since_beat.get_or_insert(latest.beat);
                let (subscription, is_patient) = (Arc::clone(subscription), latest.beat < since_beat + PATIENCE_BEATS);
                self.start(latest, &subscription, is_patient, batches, now)
            }
            Phase::Streaming(_) if !latest.in_sync => self.pause(latest),
            Phase::Streaming(stream) => {
                self.paused_since_beat = None;
                if stream.has_caught_up() {
                    self.ticket = None;
                } else if let Some(step) = self.turn(latest, now) {
                    return step;
                }
                self.go_on(latest, batches, now)
            }
            Phase::Refused(ending) => {
                let ending = ending.clone();
                self.end(ending)
            }
            Phase::Ending(ending) => Step::End(ending.clone()),
        }
    }

    fn start(
        &mut self,
        latest: &Published,
        subscription: &Subscription,
        is_patient: bool,
        batches: &Batches,
        now: Instant,
    ) -> Step {
        let server = Arc::clone(&self.server);
        if !latest.in_sync {
            let complaint = latest.complaint.as_deref().unwrap_or("it is still listing").to_owned();
            return if is_patient { Step::Wait } else { self.end(Ending::NotInSync { server, complaint }) };
        }
        let is_settled = self.doubt.is_none_or(|number| latest.integrity.settled >= number);
        if is_patient && !is_settled {
            return Step::Wait;
        }
        let start = start(&latest.view, subscription);
        if let Start::Ahead(position) = start {
            let revision = latest.view.revision();
            return if is_patient { Step::Wait } else { self.end(Ending::Behind { server, revision, position }) };
        }
        if subscription.resume_only && !matches!(start, Start::Resume(_)) {
            let position = subscription.position.map_or(0, |position| position.revision);
            return self.end(Ending::NoResume { server, position });
        }
        self.admit(latest, start, subscription.put_off, now).unwrap_or_else(|| self.begin(latest, start, batches))
    }

    /// Asks for the client's share where it needs much; `None` when it may be served.
    fn admit(&mut self, latest: &Published, start: Start, put_off: u32, now: Instant) -> Option<Step> {
        match start.demand(&latest.view, put_off) {
            None => self.ticket = None,
            Some(demand) => _ = self.ticket.get_or_insert_with(|| self.admission.enter(demand, now)),
        }
        self.turn(latest, now)
    }

    /// What there is to do instead of serving the client; `None` when it may be served.
    ///
    /// Who was sent a part already may wait for long. With each beat it gets a message without anything, by which it
    /// knows that the server lives.
    fn turn(&mut self, latest: &Published, now: Instant) -> Option<Step> {
        match self.ticket.as_mut()?.answer(now) {
            Answer::Admitted => None,
            Answer::Wait if self.spoke_at_beat.is_some_and(|beat| latest.beat > beat) => {
                Some(Step::Send(frame(&wire::Batch::default())))
            }
            Answer::Wait => Some(Step::Queue),
            Answer::PutOff { retry_after, waiting } => {
                Some(self.end(Ending::Busy { server: Arc::clone(&self.server), waiting, retry_after }))
            }
        }
    }

    /// The next message of a stream that has begun.
    fn go_on(&mut self, latest: &Published, batches: &Batches, now: Instant) -> Step {
        let Phase::Streaming(stream) = &mut self.phase else { return Step::Wait };
        match stream.next(latest, batches, self.encoding, now) {
            Next::Batch(bytes) => Step::Send(bytes),
            Next::Nothing => Step::Wait,
            // It needs everything, as one that comes from nowhere does.
            Next::StartOver => {
                self.phase = Phase::Starting { subscription: Arc::default(), since_beat: None };
                self.step(latest, None, batches, now)
            }
        }
    }

    /// A state that was found damaged is not served. The client keeps what it has, and looks elsewhere after a while.
    fn pause(&mut self, latest: &Published) -> Step {
        let since_beat = *self.paused_since_beat.get_or_insert(latest.beat);
        if latest.beat < since_beat + PATIENCE_BEATS {
            return Step::Wait;
        }
        let complaint = latest.complaint.as_deref().unwrap_or_default().to_owned();
        self.end(Ending::NotInSync { server: Arc::clone(&self.server), complaint })
    }

    /// Tells the client why; the next step ends the stream.
    fn end(&mut self, ending: Ending) -> Step {
        let words = ending.last_words();
        (self.phase, self.is_told_to_go, self.ticket) = (Phase::Ending(ending), true, None);
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
