//! The agent's brain: what typha streams becomes what this node must enforce.
//!
//! Two tasks behind one handle. The sync client reads and verifies; the other parses, computes and hands intents over.
//! It keeps everything while typha is away, and knows nothing of kernels.

mod brain;
mod intent;
mod journeys;
mod status;
#[cfg(test)]
mod tests;
mod threshold;

use std::{sync::Arc, time::SystemTime};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use self::{brain::Brain, journeys::Journeys, status::Chronicle, threshold::Threshold};
pub use self::{
    intent::{Intent, Rejected},
    journeys::Reporter,
    status::{Connected, Status},
};
use crate::sync::{self, Client, Event};

/// Checkpoints that wait for the brain. A few, so that reading and computing overlap; typha merges the rest.
const EVENT_QUEUE: usize = 16;

/// Intents that wait for the dataplane. One: whatever comes while it is busy is merged into the next.
const INTENT_QUEUE: usize = 1;

/// A running agent. Dropping it ends it.
pub struct Agent {
    intents: mpsc::Receiver<Intent>,
    reporter: Reporter,
    status: watch::Receiver<Status>,
    _tasks: JoinSet<()>,
}

impl Agent {
    /// Starts for a node, whose name is that of its `Node` resource and of the endpoints it hosts.
    pub fn start(config: Arc<sync::Config>, node: &str) -> Self {
        let threshold = Threshold::new(config.upstream_age_limit, threshold::PATIENCE);
        let (client, reports) = Client::new(config, node);
        let (journeys, reporter) = Journeys::new(node, reports);
        let (event_sender, events) = mpsc::channel(EVENT_QUEUE);
        let (intent_sender, intents) = mpsc::channel(INTENT_QUEUE);
        let (chronicle, status) = Chronicle::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(client.run(event_sender));
        tasks.spawn(think(Brain::new(node), threshold, journeys, events, intent_sender, chronicle));
        Self { intents, reporter, status, _tasks: tasks }
    }

    /// The next thing to enforce; the first one is the whole state. `None` only where the agent itself broke down.
    /// Cancel safe.
    pub async fn next(&mut self) -> Option<Intent> {
        self.intents.recv().await
    }

    /// What is enforced is told through this.
    pub fn reporter(&self) -> Reporter {
        self.reporter.clone()
    }

    /// How the agent is doing, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// Takes events in as they come and hands an intent over whenever there is news and the dataplane has room.
async fn think(
    mut brain: Brain,
    mut threshold: Threshold,
    mut journeys: Journeys,
    mut events: mpsc::Receiver<Event>,
    intents: mpsc::Sender<Intent>,
    mut chronicle: Chronicle,
) {
    loop {
        tokio::select! {
            // Handing over comes first: a busy stream must not starve the dataplane.
            biased;
            permit = intents.reserve(), if threshold.is_passed() && brain.has_news() => match permit {
                Ok(permit) => {
                    let intent = brain.intent();
                    journeys.handed_over();
                    permit.send(intent);
                }
                Err(_) => return,
            },
            event = events.recv() => match event {
                None => return,
                Some(event) => {
                    chronicle.note(&event);
                    if let Event::Updates(updates) = event {
                        let began = SystemTime::now();
                        threshold.told(updates.upstream_age, Instant::now());
                        brain.take(&updates);
                        journeys.taken(updates.journeys, began);
                        chronicle.rejected(brain.rejected());
                    }
                }
            },
            // Never polled without a time to wait for.
            () = sleep_until(threshold.opens_at().unwrap_or_else(Instant::now)), if threshold.opens_at().is_some() => {
                threshold.open();
            }
        }
    }
}
