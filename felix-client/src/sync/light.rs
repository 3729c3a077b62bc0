//! The client that load tests run by the thousand: it speaks as an agent does, keeps no keys, and counts.
//!
//! Revisions are checked, digests are not: that needs every key's hash. What it is told goes to a callback, at once.
//! Its connection is its own (`connection`, `http2`), because a complete HTTP/2 holds several times the memory.

mod connection;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod http2;

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use model::Version;
use proto::sync::v1::{Batch, Position, begin};

use self::connection::LightConnection;
use super::{
    Config, Disconnect, Mode, ProtocolError, Reporter,
    choice::Choice,
    event::Reached,
    report::{self, Outbox},
    session::{self, Consumer, Gone, Refused, Took},
};

/// What a [`LightClient`] tells its callback.
#[derive(Debug)]
pub enum LightEvent<'a> {
    /// A stream began.
    Connected {
        /// The replica's own name.
        server: &'a str,
        /// What follows.
        mode: Mode,
    },
    /// An entry came.
    Entry {
        /// The key's text.
        key: &'a str,
        /// The value, where the key exists.
        value: Option<&'a Bytes>,
        /// The revision that last modified it.
        revision: Version,
    },
    /// A cut is complete.
    Checkpoint {
        /// Up to which revision.
        revision: Version,
        /// How old the server's own view is.
        upstream_age: Duration,
        /// Whether the server has the whole state itself.
        in_sync: bool,
    },
    /// The stream ended, another will follow.
    Disconnected {
        /// Why.
        reason: &'a Disconnect,
        /// When the next attempt starts.
        retry_in: Duration,
    },
}

/// A client without state but its position.
pub struct LightClient<F> {
    config: Arc<Config>,
    node: Arc<str>,
    outbox: Outbox,
    tally: Tally<F>,
}

impl<F: FnMut(LightEvent<'_>) + Send> LightClient<F> {
    /// A client that serves a node. Nothing happens before [`Self::run`].
    pub fn new(config: Arc<Config>, node: impl Into<Arc<str>>, on_event: F) -> (Self, Reporter) {
        let (reporter, outbox) = report::channel();
        (Self { config, node: node.into(), outbox, tally: Tally { position: None, begun: None, on_event } }, reporter)
    }

    /// Lives for ever; cancel by dropping the future. The callback is to be short, nothing else is read meanwhile.
    pub async fn run(mut self) {
        session::live::<LightConnection>(&self.config, &self.node, &mut self.tally, &mut self.outbox).await;
    }
}

/// The position, as the server tells it.
struct Tally<F> {
    position: Option<Position>,
    /// The open stream: its datastore, and whether its snapshot is still coming.
    begun: Option<(u64, Mode)>,
    on_event: F,
}

impl<F: FnMut(LightEvent<'_>) + Send> Tally<F> {
    fn take(&mut self, batch: &Batch) -> Result<Took, ProtocolError> {
        if let Some(begin) = &batch.begin {
            let mode = match begin.mode() {
                begin::Mode::Snapshot => Mode::Snapshot,
                begin::Mode::Resume => Mode::Resume,
                // It names no ranges when it subscribes.
                begin::Mode::Repair => return Err(ProtocolError::UnaskedResume { datastore_id: begin.datastore_id }),
                begin::Mode::Unspecified => return Err(ProtocolError::UnknownMode(begin.mode)),
            };
            self.begun = Some((begin.datastore_id, mode));
            (self.on_event)(LightEvent::Connected { server: &begin.server, mode });
        }
        if batch.entries.is_empty() && batch.checkpoint.is_none() {
            return Ok(Took { reached: None, go_away: batch.go_away.clone() });
        }
        let (datastore_id, mode) = self.begun.ok_or(ProtocolError::BeforeBegin)?;
        for entry in &batch.entries {
            let (key, value) = (entry.key.as_str(), entry.value.as_ref());
            (self.on_event)(LightEvent::Entry { key, value, revision: entry.revision });
        }
        let reached = match &batch.checkpoint {
            None => None,
            Some(checkpoint) => self.checkpoint(datastore_id, mode, checkpoint)?,
        };
        Ok(Took { reached, go_away: batch.go_away.clone() })
    }

    fn checkpoint(
        &mut self,
        datastore_id: u64,
        mode: Mode,
        checkpoint: &proto::sync::v1::Checkpoint,
    ) -> Result<Option<Reached>, ProtocolError> {
        let (revision, in_sync) = (checkpoint.revision, checkpoint.in_sync);
        if let Some(held) = self.position.as_ref().filter(|held| held.datastore_id == datastore_id)
            && revision < held.revision
        {
            // Snapshots are shared; what came since follows.
            let older = ProtocolError::Older { held: held.revision, offered: revision };
            return if mode == Mode::Snapshot { Ok(None) } else { Err(older) };
        }
        if in_sync {
            // Copied: the digest would keep the whole message's buffer alive.
            let digest = Bytes::copy_from_slice(&checkpoint.digest);
            self.position = Some(Position { datastore_id, revision, digest, ..Position::default() });
            self.begun = Some((datastore_id, Mode::Resume));
        }
        let upstream_age = Duration::from_millis(checkpoint.upstream_age_ms);
        (self.on_event)(LightEvent::Checkpoint { revision, upstream_age, in_sync });
        Ok(in_sync.then_some(Reached { revision, upstream_age }))
    }
}

impl<F: FnMut(LightEvent<'_>) + Send> Consumer for Tally<F> {
    fn position(&self) -> Option<Position> {
        self.position.clone()
    }

    async fn on_batch(&mut self, _: &Arc<Choice>, batch: Batch) -> Result<Took, Refused> {
        self.take(&batch).map_err(Refused::Protocol)
    }

    fn on_disconnect(
        &mut self,
        reason: Disconnect,
        retry_in: Duration,
    ) -> impl Future<Output = Result<(), Gone>> + Send {
        self.begun = None;
        (self.on_event)(LightEvent::Disconnected { reason: &reason, retry_in });
        std::future::ready(Ok(()))
    }
}
