//! The client that agents use: every state it hands out is verified, and none is older than the one before.

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use model::Update;
use proto::sync::v1::{Batch, Position};
use telemetry::{Journey, Stage};
use tokio::sync::mpsc;

use super::{
    Config, Disconnect, Event, Reporter, Updates,
    choice::Choice,
    connection::Connection,
    event::Reached,
    protocol::{Begun, Cut, Protocol},
    report::{self, Outbox},
    session::{self, Consumer, Gone, Refused, Took},
};

/// A subscription that outlives replicas. Memory: about 100 bytes a key, and the entries of a cut until it is whole.
pub struct Client {
    config: Arc<Config>,
    node: Arc<str>,
    protocol: Protocol,
    outbox: Outbox,
}

impl Client {
    /// A client that serves a node, and what its reports are handed to. Nothing happens before [`Self::run`].
    pub fn new(config: Arc<Config>, node: impl Into<Arc<str>>) -> (Self, Reporter) {
        let (reporter, outbox) = report::channel();
        (Self { config, node: node.into(), protocol: Protocol::default(), outbox }, reporter)
    }

    /// Sends events until their receiver is dropped; retries for ever. While the channel is full nothing is read, and
    /// typha merges what comes meanwhile. Cancel by dropping the future.
    pub async fn run(self, events: mpsc::Sender<Event>) {
        let Self { config, node, protocol, mut outbox } = self;
        let server = Arc::from("");
        let mut feed = Feed { config: Arc::clone(&config), node: Arc::clone(&node), server, protocol, events };
        session::live::<Connection>(&config, &node, &mut feed, &mut outbox).await;
    }
}

/// The verified stream into a channel.
pub(super) struct Feed {
    pub(super) config: Arc<Config>,
    pub(super) node: Arc<str>,
    /// The replica that feeds this client, once there was one.
    pub(super) server: Arc<str>,
    pub(super) protocol: Protocol,
    pub(super) events: mpsc::Sender<Event>,
}

impl Feed {
    async fn send(&self, event: Event) -> Result<(), Gone> {
        self.events.send(event).await.map_err(|_| Gone)
    }

    async fn connected(&mut self, choice: &Arc<Choice>, begun: Begun) -> Result<(), Gone> {
        self.config.metrics.connected(begun.mode);
        let address = &choice.replica.address;
        if let Some(ranges) = begun.differing_ranges {
            self.config.metrics.repaired(ranges);
            let server = begun.server.as_str();
            tracing::warn!(server, %address, ranges, "what is held here differs from what typha has; these ranges come anew");
        }
        if begun.other_datastore {
            tracing::warn!(server = begun.server, %address, "typha speaks of another datastore than before");
        }
        let (server, address) = (Arc::<str>::from(begun.server), Arc::clone(address));
        self.server = Arc::clone(&server);
        self.send(Event::Connected { server, address, mode: begun.mode, choice: Arc::clone(choice) }).await
    }

    async fn updates(&self, cut: Cut, came: SystemTime) -> Result<(), Gone> {
        self.config.metrics.received_updates.inc_by(cut.updates.len() as u64);
        self.config.metrics.skipped_entries.inc_by(cut.skipped as u64);
        let Cut { revision, upstream_age, snapshot, updates, skipped } = cut;
        if skipped > 0 {
            tracing::info!(revision, skipped, "skipped entries of kinds that this version does not know");
        }
        let journeys = if snapshot { Vec::new() } else { self.journeys(&updates, came) };
        self.send(Event::Updates(Updates { revision, updates, upstream_age, snapshot, journeys })).await
    }

    /// The traced ones among verified changes.
    fn journeys(&self, updates: &[Update], came: SystemTime) -> Vec<Journey> {
        let changes = updates.iter().map(|update| (update.revision, &update.key));
        let journeys = Journey::of_changes(self.protocol.datastore_id(), changes);
        let journeys = journeys.into_iter().map(|journey| journey.published_by(&self.server));
        journeys.inspect(|journey| journey.passed(Stage::Verify, &self.node, came)).collect()
    }
}

impl Consumer for Feed {
    fn position(&self) -> Option<Position> {
        self.protocol.position()
    }

    fn agrees(&self, batch: &Batch) -> bool {
        self.protocol.agrees(batch)
    }

    async fn on_batch(&mut self, from: &Arc<Choice>, batch: Batch) -> Result<Took, Refused> {
        let came = SystemTime::now();
        let step = self.protocol.on_batch(batch).map_err(Refused::Protocol)?;
        let reached = step.cut.as_ref().map(|cut| Reached { revision: cut.revision, upstream_age: cut.upstream_age });
        reached.inspect(|reached| self.config.metrics.upstream_age(reached.upstream_age));
        if let Some(begun) = step.begun {
            self.connected(from, begun).await.map_err(Refused::Gone)?;
        }
        if let Some(cut) = step.cut {
            self.updates(cut, came).await.map_err(Refused::Gone)?;
        }
        if step.server_not_in_sync {
            self.send(Event::ServerNotInSync).await.map_err(Refused::Gone)?;
        }
        Ok(Took { reached, go_away: step.go_away })
    }

    fn on_disconnect(
        &mut self,
        reason: Disconnect,
        retry_in: Duration,
    ) -> impl Future<Output = Result<(), Gone>> + Send {
        if matches!(&reason, Disconnect::Frame { .. } | Disconnect::Garbage { .. }) {
            self.protocol.distrust();
        }
        self.protocol.closed();
        if matches!(&reason, Disconnect::Protocol { source: super::ProtocolError::DigestMismatch { .. }, .. }) {
            self.config.metrics.digest_mismatches.inc();
        }
        self.send(Event::Disconnected { reason, retry_in })
    }
}
