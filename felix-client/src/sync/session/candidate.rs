//! A second stream, opened while the first one goes on: read until it has all that the client has, and then put in the
//! first one's place. What came on it until then is one message (`gathered`).
//!
//! A candidate that would send a snapshot, is behind or stale, or takes too long is dropped; the client has lost nothing.

mod gathered;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use model::Version;
use proto::sync::v1::{Batch, GoAway, SubscribeRequest, go_away::Kind};
use tokio::time::{Instant, timeout};

pub(in crate::sync) use self::gathered::Gathered;
use super::super::{
    Config, Disconnect,
    choice::Choice,
    course::Trouble,
    disconnect::{MAX_REASON_CHARS, MAX_RETRY_AFTER, tamed, within},
    transport::Transport,
};

/// Beyond the time to connect, a candidate may take this long to catch up with the stream that it is to replace. Typha
/// itself waits this long for its datastore.
pub(in crate::sync) const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);

/// A stream that may take the place of the present one.
pub(super) struct Candidate<'a, T> {
    pub(super) choice: Arc<Choice>,
    /// It is dropped if it has not taken over by then.
    pub(super) gives_up_at: Instant,
    config: &'a Config,
    stage: Stage<'a, T>,
    gathered: Gathered,
}

enum Stage<'a, T> {
    Opening(Pin<Box<dyn Future<Output = Result<T, Disconnect>> + Send + 'a>>),
    Open(T),
}

/// Why a candidate is dropped.
#[derive(Debug)]
pub(in crate::sync) struct Unfit {
    /// What its replica is avoided for.
    pub(in crate::sync) trouble: Trouble,
    /// The same for people.
    pub(super) reason: String,
}

/// Where a candidate is.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::sync) enum Progress {
    /// On its way.
    Coming,
    /// It has everything up to this revision.
    At(Version),
}

impl<'a, T: Transport + 'a> Candidate<'a, T> {
    /// Begins to connect. `request` has the client's position. All is to be done `within` a time.
    pub(super) fn start(config: &'a Config, choice: Arc<Choice>, request: SubscribeRequest, within: Duration) -> Self {
        let gathered = Gathered::new(request.position.as_ref(), config.upstream_age_limit);
        let (address, limit) = (Arc::clone(&choice.replica.address), config.connect_limit);
        let opening = Box::pin(async move {
            let opened = timeout(limit, T::open(config, &address, &request)).await;
            opened.unwrap_or_else(|_| Err(Disconnect::TimedOut { address, limit }))
        });
        Self { choice, gives_up_at: Instant::now() + within, config, stage: Stage::Opening(opening), gathered }
    }

    /// Comes a step further. Cancel safe.
    pub(super) async fn progress(&mut self) -> Result<Progress, Unfit> {
        match &mut self.stage {
            Stage::Opening(opening) => {
                self.stage = Stage::Open(opening.await.map_err(|error| Unfit::failed(&error))?);
                Ok(Progress::Coming)
            }
            Stage::Open(transport) => {
                let (batch, bytes) = transport.next().await.map_err(|error| Unfit::failed(&error))?;
                self.config.metrics.received_bytes.inc_by(bytes as u64);
                self.gathered.take(batch)
            }
        }
    }

    /// The open stream, and all that came on it; `None` where nothing did.
    pub(super) fn into_parts(self) -> Option<(T, Batch)> {
        match self.stage {
            Stage::Open(transport) => Some((transport, self.gathered.into_batch())),
            Stage::Opening(_) => None,
        }
    }

    /// Why it is dropped that has not taken over in time.
    pub(super) fn late(&self) -> Unfit {
        match self.stage {
            Stage::Opening(_) => {
                Unfit { trouble: Trouble::Failed, reason: "it could not be reached in time".to_owned() }
            }
            Stage::Open(_) => Unfit::because("it took too long to catch up with us"),
        }
    }
}

impl Unfit {
    /// What it sent does not agree with what we hold.
    pub(in crate::sync) fn disagrees() -> Self {
        Self::because("its state does not agree with ours")
    }

    fn failed(error: &Disconnect) -> Self {
        Self { trouble: Trouble::Failed, reason: error.to_string() }
    }

    fn because(reason: &str) -> Self {
        Self { trouble: Trouble::Unfit, reason: reason.to_owned() }
    }

    fn told(word: &GoAway) -> Self {
        Self { trouble: trouble_of(word), reason: tamed(&word.reason, MAX_REASON_CHARS) }
    }
}

/// What a replica is avoided for that tells a client to go.
pub(in crate::sync) fn trouble_of(word: &GoAway) -> Trouble {
    match word.kind() {
        Kind::Unspecified | Kind::Draining | Kind::Rebalance => Trouble::Leaving { within: within(word) },
        Kind::Full => Trouble::Full,
        Kind::Busy => {
            let retry_after = Duration::from_millis(word.retry_after_ms.into()).min(MAX_RETRY_AFTER);
            Trouble::Busy { retry_after }
        }
        Kind::Behind | Kind::NotReady | Kind::NoResume => Trouble::Unfit,
    }
}
