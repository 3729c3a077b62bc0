//! The life of a client: connect, subscribe, feed the consumer, report; when that ends, wait and go on with the next
//! replica, for ever.
//!
//! The two clients differ only in their [`Consumer`] and their [`Transport`]. Reports share the connection and never
//! hold up the stream.

use std::{future::Future, sync::Arc, time::Duration};

use proto::sync::v1::{Batch, GoAway, Position, SubscribeRequest};
use tokio::time::{self, Instant};

use super::{
    Config, Disconnect, ProtocolError, certificates,
    freshness::{Freshness, Verdict},
    report::Outbox,
    retry::{Backoff, Replicas},
    transport::Transport,
};

/// What a client does with a stream.
pub(super) trait Consumer: Send {
    /// Where to resume from.
    fn position(&self) -> Option<Position>;

    /// Takes a batch, waiting while whoever reads is busy.
    fn on_batch(&mut self, address: &Arc<str>, batch: Batch) -> impl Future<Output = Result<Took, Refused>> + Send;

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
    /// A checkpoint was good: the replica is worth staying with. This old is its view of the datastore.
    pub(super) upstream_age: Option<Duration>,
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
const STALE_SPREAD: Duration = Duration::from_secs(1);

/// What is learnt of a replica while its stream lives.
struct Acquaintance<'a> {
    /// The replica's number.
    number: usize,
    freshness: &'a mut Freshness,
    /// Whether a checkpoint was good.
    progress: bool,
    /// Where to go instead.
    go_to: Option<usize>,
}

/// How a stream ended.
enum Ended {
    Disconnected(Disconnect),
    Gone,
}

impl From<Disconnect> for Ended {
    fn from(reason: Disconnect) -> Self {
        Self::Disconnected(reason)
    }
}

/// Lives until nobody reads any more. Cancel by dropping.
pub(super) async fn live<T: Transport>(config: &Config, node: &str, consumer: &mut impl Consumer, outbox: &mut Outbox) {
    tokio::select! {
        () = go_round::<T>(config, node, consumer, outbox) => {}
        never = certificates::follow(config) => match never {},
    }
}

/// From one replica to the next.
async fn go_round<T: Transport>(config: &Config, node: &str, consumer: &mut impl Consumer, outbox: &mut Outbox) {
    let Some(mut replicas) = Replicas::new(Arc::clone(&config.servers), fastrand::usize(..)) else { return };
    let mut backoff = Backoff::default();
    let mut freshness = Freshness::new(replicas.count(), config.upstream_age_limit);
    loop {
        let address = replicas.current();
        let number = replicas.current_number();
        let mut replica = Acquaintance { number, freshness: &mut freshness, progress: false, go_to: None };
        let ended = Box::pin(stream::<T>(config, &address, node, consumer, outbox, &mut replica)).await;
        let (progress, go_to) = (replica.progress, replica.go_to);
        let Ended::Disconnected(reason) = ended else { return };
        config.metrics.disconnected(&reason);
        if progress {
            backoff.reset();
        }
        if let Some(number) = go_to {
            replicas.turn_to(number);
        } else {
            freshness.failed(number);
            replicas.advance();
        }
        let retry_in = match reason {
            // The leaving was spread already, and the stream was good.
            Disconnect::GoAway { .. } if progress => Duration::ZERO,
            Disconnect::Stale { .. } => STALE_SPREAD.mul_f64(fastrand::f64()),
            _ => backoff.next_delay(fastrand::f64()),
        };
        if consumer.on_disconnect(reason, retry_in).await.is_err() {
            return;
        }
        time::sleep(retry_in).await;
    }
}

/// One stream from its connection to its end.
async fn stream<T: Transport>(
    config: &Config,
    address: &Arc<str>,
    node: &str,
    consumer: &mut impl Consumer,
    outbox: &mut Outbox,
    replica: &mut Acquaintance<'_>,
) -> Ended {
    let (version, position) = (config.version.to_string(), consumer.position());
    let request = SubscribeRequest { node: node.to_owned(), version, position, ..SubscribeRequest::default() };
    let limit = config.connect_limit;
    let mut transport = match time::timeout(limit, T::open(config, address, &request)).await {
        Ok(Ok(transport)) => transport,
        Ok(Err(reason)) => return reason.into(),
        Err(_) => return Disconnect::TimedOut { address: Arc::clone(address), limit }.into(),
    };
    let reports = transport.reports();
    tokio::select! {
        ended = read(config, address, &mut transport, consumer, replica) => ended,
        // Never ends: a report that fails is tried again, and the stream tells when the connection is gone.
        never = outbox.deliver(reports, node) => match never {},
    }
}

async fn read(
    config: &Config,
    address: &Arc<str>,
    transport: &mut impl Transport,
    consumer: &mut impl Consumer,
    replica: &mut Acquaintance<'_>,
) -> Ended {
    let mut leave: Option<Leave> = None;
    loop {
        let silent_at = Instant::now() + config.silence_limit;
        let until = leave.as_ref().map_or(silent_at, |leave| leave.at.min(silent_at));
        let (batch, bytes) = match (time::timeout_at(until, transport.next()).await, leave.take()) {
            (Ok(Ok(received)), kept) => {
                leave = kept;
                received
            }
            (Ok(Err(reason)), _) => return reason.into(),
            (Err(_), Some(leave)) => return leave.reason(address).into(),
            (Err(_), None) => {
                return Disconnect::Silent { address: Arc::clone(address), limit: config.silence_limit }.into();
            }
        };
        config.metrics.received_bytes.inc_by(bytes as u64);
        match consumer.on_batch(address, batch).await {
            Ok(took) => {
                if let Some(age) = took.upstream_age.filter(|&age| replica.is_to_be_left(age)) {
                    return Disconnect::Stale { address: Arc::clone(address), age }.into();
                }
                if let Some(reason) = took.go_away.as_ref().and_then(|word| Disconnect::told(address, word)) {
                    return reason.into();
                }
                leave = leave.or_else(|| took.go_away.map(Leave::after));
            }
            Err(Refused::Gone(Gone)) => return Ended::Gone,
            Err(Refused::Protocol(source)) => {
                return Disconnect::Protocol { address: Arc::clone(address), source }.into();
            }
        }
    }
}

impl Acquaintance<'_> {
    /// Takes in how old the replica's view is.
    fn is_to_be_left(&mut self, upstream_age: Duration) -> bool {
        self.progress = true;
        self.go_to = match self.freshness.told(self.number, upstream_age, Instant::now()) {
            Verdict::Stay => None,
            Verdict::GoTo(number) => Some(number),
        };
        self.go_to.is_some()
    }
}

/// A departure that typha asked for.
struct Leave {
    at: Instant,
    why: String,
}

impl Leave {
    /// Spread over the time that typha gives, so that its clients do not reach the next replica all at once.
    fn after(request: GoAway) -> Self {
        let within = Duration::from_millis(u64::from(request.within_ms));
        Self { at: Instant::now() + within.mul_f64(fastrand::f64()), why: request.reason }
    }

    fn reason(self, address: &Arc<str>) -> Disconnect {
        Disconnect::GoAway { address: Arc::clone(address), reason: self.why }
    }
}
