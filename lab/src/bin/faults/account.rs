//! What one client holds, what happened to it, and whether any of that may not be.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use felix_client::sync::{Disconnect, Event, Mode, ProtocolError, Updates};
use model::Version;
use tokio::time::Instant;

use crate::slots::{self, SLOTS};

/// One client's account.
pub(crate) struct Account {
    /// What times of writing count from.
    epoch: Instant,
    /// The replica that it has its stream from; none between two.
    pub(crate) server: Option<Arc<str>>,
    /// The replica that it had its last stream from.
    last_server: Option<Arc<str>>,
    /// Up to which revision everything has come.
    pub(crate) revision: Version,
    /// The revision that last modified each slot, 0 where it holds nothing.
    held: Vec<Version>,
    /// When the last checkpoint came that brought something.
    last_news: Instant,
    /// Since the last [`Self::begin`].
    pub(crate) window: Window,
    /// Times that something went back, ever. One is too many.
    pub(crate) went_back: u64,
    /// Why the last stream ended.
    pub(crate) last_trouble: String,
}

/// What happened to a client in one fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Streams that ended.
    pub(crate) cut: u64,
    /// Streams that began at another replica than the one before.
    pub(crate) moves: u64,
    pub(crate) resumes: u64,
    pub(crate) snapshots: u64,
    /// Times that its digest told it that something was missing, which it then got.
    pub(crate) repairs: u64,
    /// The longest time between two checkpoints that brought something.
    pub(crate) gap: Duration,
    /// The oldest write that came, as of its coming.
    pub(crate) oldest: Duration,
    /// How old the servers said that their own view is, at most.
    pub(crate) upstream_age: Duration,
}

impl Account {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            server: None,
            last_server: None,
            revision: 0,
            held: vec![0; SLOTS as usize],
            last_news: Instant::now(),
            window: Window::default(),
            went_back: 0,
            last_trouble: String::new(),
        }
    }

    /// From now on a new fault is counted.
    pub(crate) fn begin(&mut self) {
        self.window = Window::default();
        self.last_news = Instant::now();
    }

    /// Whether it holds exactly this: the revision of each slot that exists.
    pub(crate) fn differs_from(&self, state: &BTreeMap<u32, Version>) -> Option<String> {
        let differs = |(slot, held): (u32, Version)| {
            let wanted = state.get(&slot).copied().unwrap_or_default();
            (held != wanted).then(|| format!("slot {slot} is at revision {held}, the datastore's at {wanted}"))
        };
        (0..SLOTS).zip(self.held.iter().copied()).find_map(differs)
    }

    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Connected { server, mode, .. } => self.connected(server, *mode),
            Event::Updates(updates) => self.updates(updates),
            Event::Disconnected { reason, .. } => {
                // An attempt that came to nothing cuts no stream.
                self.window.cut += u64::from(self.server.take().is_some());
                let differs =
                    matches!(reason, Disconnect::Protocol { source: ProtocolError::DigestMismatch { .. }, .. });
                self.window.repairs += u64::from(differs);
                self.last_trouble = reason.to_string();
            }
            Event::ServerNotInSync => {}
        }
    }

    fn connected(&mut self, server: &Arc<str>, mode: Mode) {
        let moved = self.last_server.as_ref().is_some_and(|last| last != server);
        self.window.moves += u64::from(moved);
        match mode {
            Mode::Snapshot => self.window.snapshots += 1,
            Mode::Resume => self.window.resumes += 1,
        }
        self.server = Some(Arc::clone(server));
        self.last_server = Some(Arc::clone(server));
    }

    fn updates(&mut self, updates: &Updates) {
        self.window.upstream_age = self.window.upstream_age.max(updates.upstream_age);
        self.went_back += u64::from(updates.revision < self.revision);
        self.revision = self.revision.max(updates.revision);
        let mut oldest = None;
        for update in &updates.updates {
            let Some(slot) = slots::slot(update.key.name()) else { continue };
            let held = &mut self.held[slot as usize];
            self.went_back += u64::from(update.revision < *held);
            *held = update.value.as_ref().map_or(0, |_| update.revision);
            oldest = oldest.into_iter().chain(update.value.as_ref().and_then(slots::written_at)).min();
        }
        if updates.updates.is_empty() {
            return;
        }
        self.window.gap = self.window.gap.max(self.last_news.elapsed());
        self.last_news = Instant::now();
        // A snapshot brings what was written long ago.
        if let Some(written) = oldest.filter(|_| !updates.snapshot) {
            self.window.oldest = self.window.oldest.max(self.epoch.elapsed().saturating_sub(written));
        }
    }
}
