//! The one task that writes: takes events, and publishes when the window says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use datastore_adapters::SourceEvent;
use model::Key;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{Board, Doubts, Feed, News, Published, window::Window};
use crate::{batch::Batches, journeys::Journeys, pulses::Pulse};

/// How often clients hear of the datastore's age and of progress that changed nothing, and how finely waits of sessions
/// are measured. Three missed beats fit into the 15 s in which a client shall notice that its server is cut off.
pub(crate) const BEAT: Duration = Duration::from_secs(5);

/// Events that may wait for the writer. A part of a list holds up to a thousand entries, so this bounds what a fast
/// datastore can pile up, and is deep enough for a burst of transactions.
pub(crate) const EVENTS: usize = 64;

/// Questions for lost keys that may wait for the source. One is asked at a time, and asked again later.
pub(crate) const QUESTIONS: usize = 1;

/// The feed's shell.
pub(crate) struct Writer {
    feed: Feed,
    window: Window,
    /// When what came and is not published yet shall be.
    due: Option<Instant>,
    beat: u64,
    /// Without a sign of life from the datastore for this long, the state is stale.
    stale_after: Duration,
    /// Whether it was said that the state is stale.
    is_stale: bool,
    board: Arc<Board>,
    batches: Arc<Batches>,
    doubts: Arc<Doubts>,
    /// The revisions that are traced.
    journeys: Journeys,
}

impl Writer {
    /// A writer, and the board that it publishes on.
    pub(crate) fn new(
        batches: Arc<Batches>,
        doubts: Arc<Doubts>,
        journeys: Journeys,
        stale_after: Duration,
    ) -> (Self, Arc<Board>) {
        let feed = Feed::new();
        let board = Arc::new(Board::new(feed.state(0)));
        let writer = Self {
            feed,
            window: Window::default(),
            due: None,
            beat: 0,
            stale_after,
            is_stale: false,
            board: Arc::clone(&board),
            batches,
            doubts,
            journeys,
        };
        (writer, board)
    }

    /// Runs until the source ends.
    pub(crate) async fn run(
        mut self,
        mut events: mpsc::Receiver<SourceEvent>,
        questions: mpsc::Sender<Vec<Key>>,
        mut pulse: Pulse,
    ) {
        let doubts = Arc::clone(&self.doubts);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (due, stale_at) = (self.due, self.stale_at());
            let (audit_at, ask_at) = (self.feed.audit_due(), self.feed.question_due(Instant::now()));
            tokio::select! {
                biased;
                () = pulse.beat() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => self.publish(),
                () = sleep_until(stale_at.unwrap_or_else(Instant::now).into()), if stale_at.is_some() => self.grow_stale(),
                () = sleep_until(audit_at.unwrap_or_else(Instant::now).into()), if audit_at.is_some() => self.audit(&questions),
                () = sleep_until(ask_at.unwrap_or_else(Instant::now).into()), if ask_at.is_some() => self.ask(&questions),
                complaint = doubts.next() => self.feed.complain(complaint.ranges, complaint.number, Instant::now()),
                _ = beat.tick() => self.beat(),
                event = events.recv() => match event {
                    Some(event) => self.on(event),
                    None => return,
                },
            }
        }
    }

    fn on(&mut self, event: SourceEvent) {
        let now = Instant::now();
        self.journeys.received(&event);
        match self.feed.on(event, now) {
            // What waits for its window takes this along.
            _ if self.due.is_some() => {}
            News::Entries => match self.window.due(now) {
                // A timer takes a millisecond for no time at all.
                due if due <= now => self.publish(),
                due => self.due = Some(due),
            },
            News::Freshness => self.board.refresh(self.feed.state(self.beat)),
        }
        if self.is_stale && self.feed.proof_of_life == Some(now) {
            self.is_stale = false;
            tracing::info!("the datastore is alive again");
        }
    }

    /// What is damaged is withdrawn at once, and asked for.
    fn audit(&mut self, questions: &mpsc::Sender<Vec<Key>>) {
        if self.feed.audit(Instant::now()) == News::Entries {
            self.publish();
            self.ask(questions);
        }
    }

    fn ask(&mut self, questions: &mpsc::Sender<Vec<Key>>) {
        if let Some(question) = self.feed.question(Instant::now()) {
            // A source that has not taken the last one yet gets this one with the next attempt.
            let _ = questions.try_send(question);
        }
    }

    /// When the state becomes stale if nothing comes; none where that was said already, or nothing ever came.
    fn stale_at(&self) -> Option<Instant> {
        self.feed.proof_of_life.filter(|_| !self.is_stale).map(|proof| proof + self.stale_after)
    }

    /// Tells the log, and the clients: they need not wait for the next beat to look for a fresher replica.
    fn grow_stale(&mut self) {
        self.is_stale = true;
        let after = self.stale_after;
        tracing::error!("no sign of life from the datastore for {after:?}; not ready, and the clients' view grows old");
        self.beat();
    }

    fn publish(&mut self) {
        self.due = None;
        self.window.published(Instant::now());
        let state = self.feed.state(self.beat);
        self.batches.retire(&state.view);
        self.board.publish(state);
        self.journeys.published();
    }

    /// Publishes what is no news by itself. Entries that wait for their window are included, there being no reason to
    /// keep them back.
    fn beat(&mut self) {
        self.beat += 1;
        self.due = None;
        self.batches.beat();
        let state: Published = self.feed.state(self.beat);
        self.board.publish(state);
        self.journeys.published();
    }
}
