//! A source whose events are put in by hand: for tests, and for load tests without a datastore.

use datastore_adapters::{Source, SourceEvent};
use tokio::sync::mpsc;

/// Streams what is sent to the other end of a channel. When that end is dropped it stays silent, as a datastore does
/// that is cut off.
pub struct MemorySource {
    events: mpsc::Receiver<SourceEvent>,
}

impl MemorySource {
    /// A source, and the end where events are put in.
    pub fn new(capacity: usize) -> (mpsc::Sender<SourceEvent>, Self) {
        let (sender, events) = mpsc::channel(capacity);
        (sender, Self { events })
    }
}

impl Source for MemorySource {
    async fn run(mut self, events: mpsc::Sender<SourceEvent>) {
        while let Some(event) = self.events.recv().await {
            if events.send(event).await.is_err() {
                return;
            }
        }
        events.closed().await;
    }
}
