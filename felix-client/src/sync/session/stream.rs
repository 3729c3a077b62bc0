//! From a connection to the end of the last stream that took its place.

use std::sync::Arc;

use model::Version;
use tokio::time;

use super::{
    super::{
        Disconnect,
        choice::{Cause, Choice},
        course::Trouble,
        report::Outbox,
        transport::Transport,
    },
    Consumer, Session,
    stay::{Next, Stay},
};

/// A stream that feeds the consumer.
pub(super) struct Active<T> {
    pub(super) transport: T,
    pub(super) choice: Arc<Choice>,
    /// Up to where the consumer has everything.
    pub(super) held: Version,
    /// Whether a checkpoint was good.
    pub(super) has_served: bool,
}

/// How a stream ended.
pub(super) enum Ended {
    Lost(Lost),
    /// Nobody reads any more.
    Gone,
}

/// A stream that is no more, or an attempt that failed.
pub(super) struct Lost {
    /// The replica's address.
    pub(super) address: Arc<str>,
    pub(super) reason: Disconnect,
    /// What the replica is avoided for.
    pub(super) trouble: Trouble,
    /// Whether the replica was good to the client before.
    pub(super) has_served: bool,
    /// Where to go, where that is decided already.
    pub(super) go_to: Option<Arc<str>>,
}

impl Lost {
    /// What leads the client to the next replica; `before` led it to this one.
    pub(super) fn cause(&self, before: Cause) -> Cause {
        match &self.reason {
            Disconnect::GoAway { reason, .. } => Cause::Asked { reason: reason.as_str().into() },
            Disconnect::Stale { .. } => Cause::Stale,
            _ if self.has_served => Cause::Lost,
            _ => before,
        }
    }
}

impl<'a, C: Consumer> Session<'a, C> {
    /// Lives with a replica, and with those that take its place.
    pub(super) async fn stay<T: Transport + 'a>(&mut self, choice: Arc<Choice>, outbox: &mut Outbox) -> Ended {
        let mut active: Active<T> = match self.open(choice).await {
            Ok(active) => active,
            Err(lost) => return Ended::Lost(lost),
        };
        loop {
            let (reports, node) = (active.transport.reports(), self.node);
            let next = tokio::select! {
                next = Stay::new(self, &mut active).follow() => next,
                // Never ends: a report that fails is tried again, and the stream tells when the connection is gone.
                never = outbox.deliver(reports, node) => match never {},
            };
            match next {
                Next::Moved(to) => active = to,
                Next::Ended(ended) => return ended,
            }
        }
    }

    async fn open<T: Transport>(&mut self, choice: Arc<Choice>) -> Result<Active<T>, Lost> {
        let (request, address, limit) = (self.request(), &choice.replica.address, self.config.connect_limit);
        let held = request.position.as_ref().map_or(0, |position| position.revision);
        let reason = match time::timeout(limit, T::open(self.config, address, &request)).await {
            Ok(Ok(transport)) => return Ok(Active { transport, choice, held, has_served: false }),
            Ok(Err(reason)) => reason,
            Err(_) => Disconnect::TimedOut { address: Arc::clone(address), limit },
        };
        Err(Lost { address: Arc::clone(address), reason, trouble: Trouble::Failed, has_served: false, go_to: None })
    }
}
