//! The one task that writes: takes events, and publishes when the window says so.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use datastore_adapters::SourceEvent;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{Board, Feed, News, Published, window::Window};
use crate::batch::Batches;

/// How often clients hear of the datastore's age and of progress that changed nothing, and how finely waits of sessions
/// are measured. Three missed beats fit into the 15 s in which a client shall notice that its server is cut off.
pub(crate) const BEAT: Duration = Duration::from_secs(5);

/// Events that may wait for the writer. A part of a list holds up to a thousand entries, so this bounds what a fast
/// datastore can pile up, and is deep enough for a burst of transactions.
pub(crate) const EVENTS: usize = 64;

/// The feed's shell.
pub(crate) struct Writer {
    feed: Feed,
    window: Window,
    /// When what came and is not published yet shall be.
    due: Option<Instant>,
    beat: u64,
    board: Arc<Board>,
    batches: Arc<Batches>,
}

impl Writer {
    /// A writer, and the board that it publishes on.
    pub(crate) fn new(batches: Arc<Batches>) -> (Self, Arc<Board>) {
        let feed = Feed::new();
        let board = Arc::new(Board::new(feed.state(0)));
        let writer = Self { feed, window: Window::default(), due: None, beat: 0, board: Arc::clone(&board), batches };
        (writer, board)
    }

    /// Runs until the source ends.
    pub(crate) async fn run(mut self, mut events: mpsc::Receiver<SourceEvent>) {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.due;
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => self.publish(),
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
        if self.feed.on(event, now) == News::Entries && self.due.is_none() {
            self.due = Some(self.window.due(now));
        }
    }

    fn publish(&mut self) {
        self.due = None;
        self.window.published(Instant::now());
        let state = self.feed.state(self.beat);
        self.batches.retire(&state.view);
        self.board.publish(state);
    }

    /// Publishes what is no news by itself. Entries that wait for their window are included, there being no reason to
    /// keep them back.
    fn beat(&mut self) {
        self.beat += 1;
        self.due = None;
        let state: Published = self.feed.state(self.beat);
        self.board.publish(state);
    }
}
