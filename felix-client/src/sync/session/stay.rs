//! A client with a stream: reads it, looks for a better place, and is there before it leaves the old one.

use std::{future, pin::Pin, sync::Arc};

use proto::sync::v1::{Batch, GoAway, go_away::Kind};
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    super::{
        Disconnect,
        choice::{Cause, Choice},
        course::Trouble,
        disconnect::{MAX_REASON_CHARS, tamed, within},
        event::Reached,
        freshness::Verdict,
        transport::Transport,
    },
    Consumer, Gone, Refused, Session, Took,
    candidate::{CATCH_UP_LIMIT, Candidate, Progress, Unfit, trouble_of},
    plan::{NOT_YET, Plan},
    stream::{Active, Ended, Lost},
};

/// One stream while it lasts.
pub(super) struct Stay<'s, 'a, C, T> {
    session: &'s mut Session<'a, C>,
    active: &'s mut Active<T>,
    plan: Plan,
    /// The stream that may take the active one's place.
    candidate: Option<Box<Candidate<'a, T>>>,
    /// The replica is dead if it says nothing until then.
    silent_at: Instant,
    /// Wakes us when something may be due: early rather than set anew for each message, which would cost more than most
    /// messages do.
    alarm: Pin<Box<Sleep>>,
}

/// What follows when a stream is over.
pub(super) enum Next<T> {
    /// Another stream took its place.
    Moved(Active<T>),
    Ended(Ended),
}

/// What a client with a stream hears.
enum Heard {
    Batch(Result<(Batch, usize), Disconnect>),
    Candidate(Result<Progress, Unfit>),
    /// The set of replicas changed.
    Replicas,
    /// Something that was to be done is due.
    Time,
}

impl<'s, 'a, C: Consumer, T: Transport + 'a> Stay<'s, 'a, C, T> {
    pub(super) fn new(session: &'s mut Session<'a, C>, active: &'s mut Active<T>) -> Self {
        let plan = Plan::new(session.config.move_spread);
        let silent_at = Instant::now() + session.config.silence_limit;
        Self { session, active, plan, candidate: None, silent_at, alarm: Box::pin(sleep_until(silent_at)) }
    }

    /// To the end of the stream. Cancel safe as far as the consumer is.
    pub(super) async fn follow(mut self) -> Next<T> {
        self.consider();
        loop {
            let heard = self.hear().await;
            let next = match heard {
                Heard::Batch(received) => self.on_batch(received).await.or_else(|| self.on_what_is_due()),
                Heard::Candidate(progress) => self.on_candidate(progress).await,
                Heard::Replicas => {
                    self.on_replicas();
                    None
                }
                Heard::Time => self.on_time(),
            };
            if let Some(next) = next {
                return next;
            }
        }
    }

    async fn hear(&mut self) -> Heard {
        let due = self.due();
        if self.alarm.is_elapsed() || self.alarm.deadline() > due {
            self.alarm.as_mut().reset(due);
        }
        let is_fixed = self.session.config.discovery.is_fixed();
        tokio::select! {
            // A candidate comes first: what it says has an end.
            biased;
            progress = progress(&mut self.candidate), if self.candidate.is_some() => Heard::Candidate(progress),
            received = self.active.transport.next() => Heard::Batch(received),
            // Fails only where the configuration is gone, which the session borrows.
            _ = self.session.known.changed(), if !is_fixed => Heard::Replicas,
            () = self.alarm.as_mut() => Heard::Time,
        }
    }

    /// When something is next to be done.
    fn due(&self) -> Instant {
        let candidate_until = self.candidate.as_ref().map(|candidate| candidate.gives_up_at);
        [self.plan.next(), candidate_until].into_iter().flatten().fold(self.silent_at, Instant::min)
    }

    /// A stream that always has a message ready keeps neither the time nor news waiting. Called when `silent_at` was just
    /// set anew.
    fn on_what_is_due(&mut self) -> Option<Next<T>> {
        if self.session.known.has_changed().unwrap_or(false) {
            self.on_replicas();
        }
        let now = self.silent_at - self.session.config.silence_limit;
        if self.due() <= now { self.on_time() } else { None }
    }

    /// The set of replicas changed.
    fn on_replicas(&mut self) {
        self.session.learn();
        self.consider();
    }

    async fn on_batch(&mut self, received: Result<(Batch, usize), Disconnect>) -> Option<Next<T>> {
        let (batch, bytes) = match received {
            Ok(received) => received,
            Err(reason) => return Some(self.lost(reason, Trouble::Failed, None)),
        };
        self.session.config.metrics.received_bytes.inc_by(bytes as u64);
        let next = match self.session.consumer.on_batch(&self.active.choice, batch).await {
            Ok(Took { reached, go_away }) => {
                reached.and_then(|reached| self.on_checkpoint(reached)).or_else(|| self.on_word(go_away.as_ref()?))
            }
            Err(refused) => Some(self.refused(refused, &self.active.choice)),
        };
        self.silent_at = Instant::now() + self.session.config.silence_limit;
        next
    }

    /// The consumer has everything up to a revision.
    fn on_checkpoint(&mut self, Reached { revision, upstream_age: age }: Reached) -> Option<Next<T>> {
        let address = Arc::clone(self.address());
        (self.active.held, self.active.has_served) = (revision, true);
        let session = &mut *self.session;
        // One that asked to be left serves to its end.
        if self.plan.leave().is_none() {
            session.course.good(&address);
        }
        match session.freshness.told(&address, session.course.order(), age, Instant::now()) {
            Verdict::Stay => None,
            Verdict::GoTo(next) => Some(self.lost(Disconnect::Stale { address, age }, Trouble::Stale, Some(next))),
        }
    }

    /// Typha asks us to go, or tells why the stream is over.
    fn on_word(&mut self, word: &GoAway) -> Option<Next<T>> {
        let (address, trouble) = (Arc::clone(self.address()), trouble_of(word));
        if let Some(reason) = Disconnect::told(&address, word) {
            return Some(self.lost(reason, trouble, None));
        }
        // Said again, it changes nothing; but who might have stayed may have to leave after all.
        if !self.plan.has_to_leave() {
            let (now, may_stay) = (Instant::now(), word.kind() == Kind::Rebalance);
            self.session.course.trouble(&address, trouble, now, fastrand::f64());
            self.plan.asked(&tamed(&word.reason, MAX_REASON_CHARS), within(word), may_stay, now, fastrand::f64());
            // Who looks already is not to be in the way of the look to come.
            if let (Some(candidate), Some(at)) = (&mut self.candidate, self.plan.next()) {
                candidate.gives_up_at = candidate.gives_up_at.min(at);
            }
        }
        None
    }

    async fn on_candidate(&mut self, progress: Result<Progress, Unfit>) -> Option<Next<T>> {
        match progress {
            Ok(Progress::At(revision)) if revision >= self.active.held => self.hand_over(revision).await,
            // Never back in time: it goes on until it has caught up.
            Ok(Progress::At(_) | Progress::Coming) => None,
            Err(unfit) => {
                self.abandon(&unfit);
                None
            }
        }
    }

    /// The candidate has all that we have: it takes over.
    async fn hand_over(&mut self, revision: u64) -> Option<Next<T>> {
        let candidate = self.candidate.take()?;
        let choice = Arc::clone(&candidate.choice);
        let (transport, gathered) = candidate.into_parts()?;
        if !self.session.consumer.agrees(&gathered) {
            self.abandoned(&choice, &Unfit::disagrees());
            return None;
        }
        match self.session.consumer.on_batch(&choice, gathered).await {
            Ok(_) => {}
            Err(refused) => return Some(self.refused(refused, &choice)),
        }
        let (from, to) = (self.address(), &choice.replica.address);
        tracing::info!(%from, %to, revision, choice = %choice, "moved to another replica of typha; nothing was missed");
        self.session.config.metrics.moved(&choice.cause);
        self.session.course.good(to);
        Some(Next::Moved(Active { transport, choice, held: revision, has_served: true }))
    }

    /// The candidate is no good; we stay, and look again later.
    fn abandon(&mut self, unfit: &Unfit) {
        let Some(candidate) = self.candidate.take() else { return };
        self.abandoned(&candidate.choice, unfit);
    }

    fn abandoned(&mut self, choice: &Choice, unfit: &Unfit) {
        let to = &choice.replica.address;
        tracing::info!(from = %self.address(), %to, reason = unfit.reason, "stays where it is; the other replica cannot take over");
        self.session.config.metrics.moves_abandoned.inc();
        if unfit.trouble == Trouble::Failed {
            self.session.config.discovery.hurry();
        }
        self.session.course.trouble(to, unfit.trouble, Instant::now(), fastrand::f64());
        self.consider();
    }

    fn on_time(&mut self) -> Option<Next<T>> {
        let now = Instant::now();
        if let Some(late) = self.candidate.as_ref().filter(|candidate| candidate.gives_up_at <= now).map(|it| it.late())
        {
            self.abandon(&late);
        }
        let address = Arc::clone(self.address());
        if self.plan.is_over(now) {
            let reason = self.plan.leave().map(|leave| leave.reason.to_string()).unwrap_or_default();
            return Some(self.lost(Disconnect::GoAway { address, reason }, Trouble::LEFT, None));
        }
        if self.silent_at <= now {
            let limit = self.session.config.silence_limit;
            return Some(self.lost(Disconnect::Silent { address, limit }, Trouble::Failed, None));
        }
        if self.plan.is_to_look(now) {
            self.look(now);
        }
        None
    }

    /// Opens a stream at a better place, if there is one.
    fn look(&mut self, now: Instant) {
        let (course, mut request) = (&self.session.course, self.session.request());
        request.resume_only = true;
        if self.plan.has_to_leave() {
            // There may be new ones, at addresses that we do not know.
            self.session.config.discovery.hurry();
        } else {
            // Who may stay insists on nothing.
            (request.referred, request.put_off) = (0, 0);
        }
        let better = self.plan.place(course, self.address(), now).cloned();
        // Nothing can be resumed before there is something, nor while it is in doubt.
        if request.position.as_ref().is_none_or(|position| position.compare) {
            return self.plan.consider(false, Some(now + NOT_YET), now, fastrand::f64());
        }
        // One that is tried already is considered when that has come to an end.
        if self.candidate.is_some() {
            return;
        }
        let Some(replica) = better else {
            self.plan.found_nothing();
            return self.consider();
        };
        let choice = self.session.choice(replica, self.cause());
        let most = self.session.config.connect_limit + CATCH_UP_LIMIT;
        let within = self.plan.time_for_an_attempt(now, most);
        self.candidate = Some(Box::new(Candidate::start(self.session.config, choice, request, within)));
    }

    /// Why we would leave.
    fn cause(&self) -> Cause {
        match self.plan.leave() {
            Some(leave) => Cause::Asked { reason: Arc::clone(&leave.reason) },
            None if self.session.course.replica(self.address()).is_none() => Cause::Withdrawn,
            None => Cause::Preferred,
        }
    }

    /// Makes up our mind about when to look for a better place.
    fn consider(&mut self) {
        if self.candidate.is_some() {
            return;
        }
        let here = Arc::clone(self.address());
        self.plan.weigh(&self.session.course, &here, Instant::now(), fastrand::f64());
    }

    fn refused(&self, refused: Refused, by: &Choice) -> Next<T> {
        let source = match refused {
            Refused::Gone(Gone) => return Next::Ended(Ended::Gone),
            Refused::Protocol(source) => source,
        };
        let (address, has_served) = (Arc::clone(&by.replica.address), self.active.has_served);
        let reason = Disconnect::Protocol { address: Arc::clone(&address), source };
        Next::Ended(Ended::Lost(Lost { address, reason, trouble: Trouble::Failed, has_served, go_to: None }))
    }

    fn lost(&self, reason: Disconnect, trouble: Trouble, go_to: Option<Arc<str>>) -> Next<T> {
        let (address, has_served) = (Arc::clone(self.address()), self.active.has_served);
        Next::Ended(Ended::Lost(Lost { address, reason, trouble, has_served, go_to }))
    }

    fn address(&self) -> &Arc<str> {
        &self.active.choice.replica.address
    }
}

async fn progress<'a, T: Transport + 'a>(candidate: &mut Option<Box<Candidate<'a, T>>>) -> Result<Progress, Unfit> {
    match candidate {
        Some(candidate) => candidate.progress().await,
        None => future::pending().await,
    }
}
