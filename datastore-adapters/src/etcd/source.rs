//! etcd as a [`Source`]: connects, reconnects with backoff, and tells when it cannot. The conversation itself is
//! [`connection`]'s, and what to say next is decided by [`Feed`].

mod connection;

use model::Key;
use tokio::sync::mpsc;

use self::connection::{Connection, Ended};
use super::{EtcdConfig, feed::Feed};
use crate::{Source, SourceEvent, backoff::Backoff};

/// The stream of etcd's state and changes.
#[derive(Debug)]
pub struct EtcdSource {
    config: EtcdConfig,
    /// The endpoint of the next connection: each attempt takes the next one.
    next_endpoint: usize,
    feed: Feed,
    backoff: Backoff,
}

impl EtcdSource {
    /// A source for this etcd; it connects when it runs.
    pub fn new(config: EtcdConfig) -> Self {
        Self { config, next_endpoint: 0, feed: Feed::default(), backoff: Backoff::new() }
    }

    async fn run_until_reader_is_gone(
        mut self,
        events: mpsc::Sender<SourceEvent>,
        mut questions: mpsc::Receiver<Vec<Key>>,
    ) {
        loop {
            let endpoint = self.endpoint();
            let reason = match Box::pin(self.attempt(&endpoint, &events, &mut questions)).await {
                Ok(never) => match never {},
                Err(Ended::ReaderGone) => return,
                Err(Ended::Failed(reason)) => {
                    self.feed.disconnected();
                    reason
                }
                Err(Ended::WatchFailed(reason)) => {
                    self.feed.watch_failed();
                    reason
                }
            };
            let reason = format!("etcd at {endpoint}: {reason}");
            tracing::warn!(%reason, "etcd is not available; trying again");
            if events.send(SourceEvent::Unavailable { reason }).await.is_err() {
                return;
            }
            tokio::time::sleep(self.backoff.next_delay()).await;
        }
    }

    fn endpoint(&mut self) -> String {
        let all = &self.config.endpoints;
        let endpoint = all.get(self.next_endpoint % all.len().max(1)).cloned().unwrap_or_default();
        self.next_endpoint = self.next_endpoint.wrapping_add(1);
        endpoint
    }

    /// One connection, for as long as it is of use.
    async fn attempt(
        &mut self,
        endpoint: &str,
        events: &mpsc::Sender<SourceEvent>,
        questions: &mut mpsc::Receiver<Vec<Key>>,
    ) -> Result<std::convert::Infallible, Ended> {
        let client = connection::open(&self.config, endpoint).await?;
        let mut connection = Connection { client, feed: &mut self.feed, backoff: &mut self.backoff, events, questions };
        connection.list_if_need_be().await?;
        connection.watch().await
    }
}

impl Source for EtcdSource {
    async fn run(self, events: mpsc::Sender<SourceEvent>, questions: mpsc::Receiver<Vec<Key>>) {
        Box::pin(self.run_until_reader_is_gone(events, questions)).await;
    }
}
