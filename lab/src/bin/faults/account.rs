//! What one client holds, what happened to it, and whether any of that may not be.

use std::{collections::BTreeMap, time::Duration};

use felix_client::sync::{LightEvent, Mode};
use model::Version;
use tokio::time::Instant;

use crate::slots::{self, SLOTS};

/// One client's account.
pub(crate) struct Account {
    /// What times of writing count from.
    epoch: Instant,
    /// The replica that it has its stream from; none between two.
    pub(crate) server: Option<String>,
    /// The replica that it had its last stream from.
    last_server: Option<String>,
    /// Up to which revision everything has come.
    pub(crate) revision: Version,
    /// The revision that last modified each slot, 0 where it holds nothing.
    held: Vec<Version>,
    /// What came since the last checkpoint: 0 for a deletion.
    pending: BTreeMap<u32, Version>,
    /// When the oldest of that was written.
    oldest: Option<Duration>,
    /// Whether a whole state is coming.
    in_snapshot: bool,
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
            pending: BTreeMap::new(),
            oldest: None,
            in_snapshot: false,
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

    pub(crate) fn take(&mut self, event: &LightEvent<'_>) {
        match event {
            LightEvent::Connected { server, mode } => self.connected(server, *mode),
            LightEvent::Entry { key, value, revision } => {
                let Some(slot) = slots::slot(key) else { return };
                self.pending.insert(slot, value.map_or(0, |_| *revision));
                let at = value.and_then(slots::written_at);
                self.oldest = self.oldest.into_iter().chain(at).min();
            }
            LightEvent::Checkpoint { revision, upstream_age, in_sync } => {
                self.window.upstream_age = self.window.upstream_age.max(*upstream_age);
                if *in_sync {
                    self.checkpoint(*revision);
                }
            }
            LightEvent::Disconnected { reason, .. } => {
                // An attempt that came to nothing cuts no stream.
                self.window.cut += u64::from(self.server.take().is_some());
                self.last_trouble = reason.to_string();
            }
        }
    }

    fn connected(&mut self, server: &str, mode: Mode) {
        let moved = self.last_server.as_deref().is_some_and(|last| last != server);
        self.window.moves += u64::from(moved);
        self.in_snapshot = mode == Mode::Snapshot;
        match mode {
            Mode::Snapshot => self.window.snapshots += 1,
            Mode::Resume => self.window.resumes += 1,
        }
        self.pending.clear();
        self.oldest = None;
        self.server = Some(server.to_owned());
        self.last_server = self.server.clone();
    }

    fn checkpoint(&mut self, revision: Version) {
        self.went_back += u64::from(revision < self.revision);
        let news = std::mem::take(&mut self.pending);
        if self.in_snapshot {
            let mut whole = vec![0; SLOTS as usize];
            for (slot, revision) in &news {
                whole[*slot as usize] = *revision;
            }
            // What a snapshot does not mention is gone; what it does mention is not older than what was held.
            let older = whole.iter().zip(&self.held).filter(|(new, held)| **new != 0 && new < held).count();
            self.went_back += older as u64;
            self.held = whole;
        } else {
            for (slot, revision) in &news {
                let held = &mut self.held[*slot as usize];
                self.went_back += u64::from(*revision != 0 && *revision < *held);
                *held = *revision;
            }
        }
        if !news.is_empty() {
            self.window.gap = self.window.gap.max(self.last_news.elapsed());
            self.last_news = Instant::now();
            // A snapshot brings what was written long ago.
            let oldest = self.oldest.take().filter(|_| !self.in_snapshot);
            let age = oldest.map(|written| self.epoch.elapsed().saturating_sub(written));
            self.window.oldest = self.window.oldest.max(age.unwrap_or_default());
        }
        (self.oldest, self.in_snapshot) = (None, false);
        self.revision = self.revision.max(revision);
    }
}
