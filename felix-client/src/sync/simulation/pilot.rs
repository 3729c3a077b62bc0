//! A client's own way among the replicas: production's course, freshness, plan and backoff, put together as the
//! production session does, with the time and chance of the simulation. Reads and writes nothing.

use std::{sync::Arc, time::Duration, time::Instant as StdInstant};

use proto::sync::v1::{GoAway, go_away::Kind};
use tokio::time::Instant;

use super::super::{
    config::{CONNECT_LIMIT, MOVE_SPREAD, SILENCE_LIMIT, UPSTREAM_AGE_LIMIT},
    course::{Course, Heading, Trouble},
    disconnect::within,
    freshness::{Freshness, Verdict},
    replica::Replica,
    retry::Backoff,
    session::{
        STALE_SPREAD,
        candidate::{CATCH_UP_LIMIT, trouble_of},
        plan::{NOT_YET, Plan},
    },
};

pub(super) struct Pilot {
    /// All replicas, by their number.
    replicas: Vec<Replica>,
    course: Course,
    freshness: Freshness,
    backoff: Backoff,
    /// What the client has in mind while it has a stream.
    plan: Plan,
    /// Where the next stream goes, where that is decided.
    go_to: Option<Arc<str>>,
    /// No stream is opened before this.
    retry_at: Instant,
    /// The replica is dead if it says nothing until then.
    silent_at: Instant,
    /// The second stream has to take over by then.
    candidate_until: Option<Instant>,
    /// When the first stream was opened of those that took each other's place.
    began: Instant,
    /// Whether the present stream brought a good state.
    has_served: bool,
    random: fastrand::Rng,
    /// Streams that it left by its own decision, for others or for a second stream.
    pub(super) departures: u32,
    /// Second streams that it looked for.
    pub(super) looks: u32,
}

/// What a client is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Nothing,
    /// Open a stream to this replica.
    Connect(usize),
    /// Open a second stream to this replica.
    Look(usize),
    /// Give the second stream up.
    Abandon(Trouble),
    /// Give the stream up.
    Leave(Trouble),
}

impl Pilot {
    pub(super) fn new(client: usize, replicas: &[Arc<str>], random: fastrand::Rng, now: StdInstant) -> Self {
        let replica = |address: &Arc<str>| Replica {
            address: Arc::clone(address),
            zone: None,
            found_by: Arc::clone(address),
            is_spare: false,
        };
        let replicas: Vec<_> = replicas.iter().map(replica).collect();
        let mut course = Course::new(&format!("node-{client}"), None);
        course.learn(&replicas);
        let now = Instant::from_std(now);
        Self {
            replicas,
            course,
            freshness: Freshness::new(UPSTREAM_AGE_LIMIT),
            backoff: Backoff::default(),
            plan: Plan::new(MOVE_SPREAD),
            go_to: None,
            retry_at: now,
            silent_at: now + SILENCE_LIMIT,
            candidate_until: None,
            began: now,
            has_served: false,
            random,
            departures: 0,
            looks: 0,
        }
    }

    /// What a client without a stream does.
    pub(super) fn seek(&mut self, now: StdInstant) -> Wish {
        let now = Instant::from_std(now);
        if now < self.retry_at {
            return Wish::Nothing;
        }
        let decided = self.go_to.take().and_then(|address| self.number(&address));
        let heading = self.course.heading(now);
        match (decided, heading) {
            (Some(number), _) => Wish::Connect(number),
            (None, Heading::To(replica)) => self.number(&replica.address).map_or(Wish::Nothing, Wish::Connect),
            (None, Heading::WaitUntil(at)) => {
                self.retry_at = at;
                Wish::Nothing
            }
            (None, Heading::Lost) => Wish::Nothing,
        }
    }

    /// What a client with a stream from `here` does that waits for messages.
    pub(super) fn stay(&mut self, here: usize, has_candidate: bool, now: StdInstant) -> Wish {
        let now = Instant::from_std(now);
        if self.candidate_until.take_if(|until| *until <= now).is_some() && has_candidate {
            return Wish::Abandon(Trouble::Unfit);
        }
        if self.plan.is_over(now) {
            return Wish::Leave(Trouble::LEFT);
        }
        if self.silent_at <= now {
            return Wish::Leave(Trouble::Failed);
        }
        if !self.plan.is_to_look(now) {
            return Wish::Nothing;
        }
        // One that is tried already is considered when that has come to an end.
        if has_candidate {
            return Wish::Nothing;
        }
        let better = self.plan.place(&self.course, self.address(here), now);
        if let Some(number) = better.and_then(|replica| self.number(&replica.address)) {
            self.candidate_until = Some(now + self.plan.time_for_an_attempt(now, CONNECT_LIMIT + CATCH_UP_LIMIT));
            self.looks += 1;
            return Wish::Look(number);
        }
        self.plan.found_nothing();
        self.consider(here, has_candidate, now);
        Wish::Nothing
    }

    /// There is nothing to resume yet, or it is in doubt: a second stream has to wait.
    pub(super) fn put_look_off(&mut self, now: StdInstant) {
        let now = Instant::from_std(now);
        self.candidate_until = None;
        self.plan.consider(false, Some(now + NOT_YET), now, self.random.f64());
    }

    /// A stream from `here` is open; `has_served` where it took the place of another.
    pub(super) fn opened(&mut self, here: usize, has_served: bool, now: StdInstant) {
        let now = Instant::from_std(now);
        if has_served {
            self.departures += 1;
            self.course.good(&Arc::clone(self.address(here)));
        } else {
            self.began = now;
        }
        (self.plan, self.candidate_until, self.has_served) = (Plan::new(MOVE_SPREAD), None, has_served);
        self.silent_at = now + SILENCE_LIMIT;
        self.consider(here, false, now);
    }

    /// The stream brought a message.
    pub(super) fn heard(&mut self, now: StdInstant) {
        self.silent_at = Instant::from_std(now) + SILENCE_LIMIT;
    }

    /// The stream brought a good state: where to go instead, if the replica's view is too old.
    pub(super) fn on_state(&mut self, here: usize, age: Duration, now: StdInstant) -> Verdict {
        let address = Arc::clone(self.address(here));
        self.has_served = true;
        if self.plan.leave().is_none() {
            self.course.good(&address);
        }
        self.freshness.told(&address, self.course.order(), age, Instant::from_std(now))
    }

    /// Whether a view of this age is stale.
    pub(super) fn is_stale(&self, age: Duration) -> bool {
        self.freshness.is_stale(age)
    }

    /// The replica asks its clients to go.
    pub(super) fn asked(&mut self, here: usize, word: &GoAway, now: StdInstant) {
        if self.plan.has_to_leave() {
            return;
        }
        let (now, within) = (Instant::from_std(now), within(word));
        self.course.trouble(&Arc::clone(self.address(here)), trouble_of(word), now, self.random.f64());
        self.plan.asked(&word.reason, within, word.kind() == Kind::Rebalance, now, self.random.f64());
        // Who looks already is not to be in the way of the look to come.
        self.candidate_until = self.candidate_until.map(|until| self.plan.next().map_or(until, |at| until.min(at)));
    }

    /// The stream from `here` is gone, or none came.
    pub(super) fn lost(&mut self, here: usize, trouble: Trouble, go_to: Option<Arc<str>>, now: StdInstant) {
        let (address, now) = (Arc::clone(self.address(here)), Instant::from_std(now));
        self.course.trouble(&address, trouble, now, self.random.f64());
        if go_to.is_none() {
            self.freshness.failed(&address);
        }
        if std::mem::take(&mut self.has_served) {
            self.backoff.served(now.saturating_duration_since(self.began));
        }
        let is_own_decision = go_to.is_some() || trouble == Trouble::LEFT;
        self.departures += u32::from(is_own_decision);
        let retry_in = match trouble {
            Trouble::Leaving { .. } => Duration::ZERO,
            Trouble::Stale => STALE_SPREAD.mul_f64(self.random.f64()),
            _ => self.backoff.next_delay(self.random.f64()),
        };
        (self.go_to, self.retry_at, self.candidate_until) = (go_to, now + retry_in, None);
    }

    /// The second stream was no good.
    pub(super) fn abandoned(&mut self, here: usize, there: usize, trouble: Trouble, now: StdInstant) {
        let now = Instant::from_std(now);
        self.candidate_until = None;
        self.course.trouble(&Arc::clone(self.address(there)), trouble, now, self.random.f64());
        self.consider(here, false, now);
    }

    /// The replica that the node prefers to all others.
    pub(super) fn preferred(&self) -> Option<usize> {
        self.course.order().first().and_then(|replica| self.number(&replica.address))
    }

    fn consider(&mut self, here: usize, has_candidate: bool, now: Instant) {
        if has_candidate {
            return;
        }
        self.plan.weigh(&self.course, &self.replicas[here].address, now, self.random.f64());
    }

    fn address(&self, number: usize) -> &Arc<str> {
        &self.replicas[number].address
    }

    fn number(&self, address: &str) -> Option<usize> {
        self.replicas.iter().position(|replica| &*replica.address == address)
    }
}
