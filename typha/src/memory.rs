//! A source whose events are put in by hand: for tests, and for load tests without a datastore.

use datastore_adapters::{Source, SourceEvent};
use model::Key;
use tokio::sync::mpsc;

/// Streams what is sent to the other end of a channel. When that end is dropped it stays silent, as a datastore does
/// that is cut off.
pub struct MemorySource {
    events: mpsc::Receiver<SourceEvent>,
    /// Where questions for lost keys go; without it they are not answered.
    questions: Option<mpsc::Sender<Vec<Key>>>,
}

impl MemorySource {
    /// A source, and the end where events are put in.
    pub fn new(capacity: usize) -> (mpsc::Sender<SourceEvent>, Self) {
        let (sender, events) = mpsc::channel(capacity);
        (sender, Self { events, questions: None })
    }

    /// The same, and the end where questions for lost keys come out. The answers are events.
    pub fn with_questions(capacity: usize) -> (mpsc::Sender<SourceEvent>, mpsc::Receiver<Vec<Key>>, Self) {
        let (sender, source) = Self::new(capacity);
        let (asked, questions) = mpsc::channel(capacity);
        (sender, questions, Self { questions: Some(asked), ..source })
    }
}

impl Source for MemorySource {
    async fn run(mut self, events: mpsc::Sender<SourceEvent>, mut questions: mpsc::Receiver<Vec<Key>>) {
        loop {
            tokio::select! {
                event = self.events.recv() => {
                    let Some(event) = event else { return events.closed().await };
                    if events.send(event).await.is_err() {
                        return;
                    }
                }
                Some(question) = questions.recv() => {
                    // Who does not listen does not answer.
                    let _ = self.questions.as_ref().map(|asked| asked.try_send(question));
                }
            }
        }
    }
}
