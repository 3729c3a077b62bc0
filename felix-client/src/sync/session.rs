//! The life of a client: choose a replica, feed the consumer, report; when that ends, wait and go on with another, for
//! ever. Where a better replica is found meanwhile, `stream` moves to it without an end.
//!
//! The two clients differ only in their [`Consumer`] and their [`Transport`]. Reports share the connection and never
//! hold up the stream.

pub(super) mod candidate;
pub(super) mod plan;
pub(super) mod stay;
mod stream;

use std::{future::Future, sync::Arc, time::Duration};

use proto::sync::v1::{Batch, GoAway, Position, SubscribeRequest};
use tokio::{
    sync::watch,
    time::{self, Instant},
};

use self::stream::{Ended, Lost};
use super::{
    Config, Disconnect, ProtocolError, certificates,
    choice::{Cause, Choice},
    course::{Course, Heading, Trouble},
    discovery::Found,
    event::Reached,
    freshness::Freshness,
    replica::Replica,
    report::Outbox,
    retry::Backoff,
    transport::Transport,
};

/// What a client does with a stream.
pub(super) trait Consumer: Send {
    /// Where to resume from.
    fn position(&self) -> Option<Position>;

    /// Whether what is held agrees with the state that a batch resumes to, as far as the consumer can tell.
    fn agrees(&self, _: &Batch) -> bool {
        true
    }

    /// Takes a batch, waiting while whoever reads is busy.
    fn on_batch(&mut self, from: &Arc<Choice>, batch: Batch) -> impl Future<Output = Result<Took, Refused>> + Send;

    /// The stream is gone. `Err` where nobody reads any more.
    fn on_disconnect(
        &mut self,
        reason: Disconnect,
        retry_in: Duration,
    ) -> impl Future<Output = Result<(), Gone>> + Send;
}

/// What a batch amounted to for the session.
#[derive(Debug, Default)]
pub(super) struct Took {
    /// A checkpoint was good: the replica is worth staying with.
    pub(super) reached: Option<Reached>,
    pub(super) go_away: Option<GoAway>,
}

/// Why a consumer takes no more of a stream.
#[derive(Debug)]
pub(super) enum Refused {
    Protocol(ProtocolError),
    Gone(Gone),
}

/// Nobody reads any more.
#[derive(Debug)]
pub(super) struct Gone;

/// Clients that leave a stale replica ask the next one within this, not all at once: they learn of it together.
pub(super) const STALE_SPREAD: Duration = Duration::from_secs(1);

/// Lives until nobody reads any more. Cancel by dropping.
pub(super) async fn live<T: Transport + 'static>(
    config: &Config,
    node: &str,
    consumer: &mut impl Consumer,
    outbox: &mut Outbox,
) {
    tokio::select! {
        () = Session::new(config, node, consumer).go_round::<T>(outbox) => {}
        never = certificates::follow(config) => match never {},
        never = config.discovery.follow(&config.metrics) => match never {},
    }
}

/// What a client knows beside its streams.
struct Session<'a, C> {
    config: &'a Config,
    node: &'a str,
    consumer: &'a mut C,
    /// The replicas that there are.
    known: watch::Receiver<Found>,
    course: Course,
    freshness: Freshness,
}

impl<'a, C: Consumer> Session<'a, C> {
    fn new(config: &'a Config, node: &'a str, consumer: &'a mut C) -> Self {
        let (known, course) = (config.discovery.watch(), Course::new(node, config.zone.clone()));
        let mut session =
            Self { config, node, consumer, known, course, freshness: Freshness::new(config.upstream_age_limit) };
        session.learn();
        session
    }

    /// From one replica to the next.
    async fn go_round<T: Transport + 'a>(mut self, outbox: &mut Outbox) {
        if self.config.discovery.entries().is_empty() {
            return;
        }
        let (mut backoff, mut cause, mut go_to) = (Backoff::default(), Cause::Start, None);
        loop {
            let Ok(replica) = self.find(go_to.take()).await else { return };
            let (choice, began) = (self.choice(replica, cause.clone()), Instant::now());
            let Ended::Lost(lost) = Box::pin(self.stay::<T>(choice, outbox)).await else { return };
            self.config.metrics.disconnected(&lost.reason);
            self.note(&lost);
            if lost.has_served {
                backoff.served(began.elapsed());
            }
            cause = lost.cause(cause);
            go_to = lost.go_to;
            let pause = match lost.reason {
                // The leaving was spread already, and the stream was good.
                Disconnect::GoAway { .. } if lost.has_served => Duration::ZERO,
                Disconnect::Stale { .. } => STALE_SPREAD.mul_f64(fastrand::f64()),
                _ => backoff.next_delay(fastrand::f64()),
            };
            // Whoever is put off waits for a replica that may be asked, or for news of one.
            if self.consumer.on_disconnect(lost.reason, self.wait().max(pause)).await.is_err() {
                return;
            }
            time::sleep(pause).await;
        }
    }

    /// Takes in which replicas there are.
    fn learn(&mut self) {
        let replicas = Arc::clone(&self.known.borrow_and_update().replicas);
        self.course.learn(&replicas);
    }

    /// The replica to go to: the one that is asked for, if it is there still. Waits while there is none.
    async fn find(&mut self, address: Option<Arc<str>>) -> Result<Replica, Gone> {
        let mut complaint = None;
        loop {
            self.learn();
            if let Some(replica) = address.as_ref().and_then(|address| self.course.replica(address)) {
                return Ok(replica.clone());
            }
            let until = match self.course.heading(Instant::now()) {
                Heading::To(replica) => return Ok(replica),
                Heading::WaitUntil(at) => Some(at),
                Heading::Lost => {
                    self.complain(&mut complaint).await?;
                    None
                }
            };
            tokio::select! {
                // Fails only where the configuration is gone, which this borrows.
                _ = self.known.changed() => {}
                () = time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            }
        }
    }

    /// How long it is until a replica may be asked again.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        match self.course.heading(now) {
            Heading::WaitUntil(at) => at.saturating_duration_since(now),
            Heading::To(_) | Heading::Lost => Duration::ZERO,
        }
    }

    /// Says why no replica is known, once for each reason.
    async fn complain(&mut self, told: &mut Option<Arc<str>>) -> Result<(), Gone> {
        let complaint = self.known.borrow().complaint.clone();
        let Some(reason) = complaint.filter(|complaint| told.as_ref() != Some(complaint)) else { return Ok(()) };
        *told = Some(Arc::clone(&reason));
        let reason = Disconnect::NoReplica { reason };
        self.config.metrics.disconnected(&reason);
        self.consumer.on_disconnect(reason, self.config.discovery.next_lookup_in()).await
    }

    /// Remembers what a replica is to be avoided for.
    fn note(&mut self, lost: &Lost) {
        let (address, now) = (&lost.address, Instant::now());
        self.course.trouble(address, lost.trouble, now, fastrand::f64());
        if lost.go_to.is_none() {
            self.freshness.failed(address);
        }
        if lost.trouble == Trouble::Failed {
            self.config.discovery.hurry();
        }
    }

    fn choice(&self, replica: Replica, cause: Cause) -> Arc<Choice> {
        let of = self.course.order().len();
        let rank = self.course.rank(&replica.address).unwrap_or(of);
        Arc::new(Choice { replica, rank, of, cause })
    }

    /// What to ask a replica for.
    fn request(&self) -> SubscribeRequest {
        SubscribeRequest {
            node: self.node.to_owned(),
            version: self.config.version.to_string(),
            position: self.consumer.position(),
            put_off: self.course.put_off(),
            referred: self.course.referred(),
            servers: self.course.usable(Instant::now()),
            resume_only: false,
        }
    }
}
