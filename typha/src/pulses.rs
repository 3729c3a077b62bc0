//! Whether the parts of a server run: each gives a sign of life now and then, and one that stays silent is wedged.
//!
//! A part that waits for news beats; one that is blocked, or computes without end, does not. Nothing here mends that:
//! a supervisor asks `/healthz` and restarts the process.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

/// Signs of life within the limit after which a part is wedged: a few may be late on a busy machine.
const BEATS_WITHIN_LIMIT: u32 = 6;

/// The parts of a server that should run for as long as it does.
pub(crate) struct Pulses {
    /// A part that is silent for longer is wedged.
    limit: Duration,
    /// What beats are counted from.
    start: Instant,
    /// Grows while the server starts.
    parts: Mutex<Vec<Arc<Part>>>,
}

struct Part {
    name: String,
    /// When it last gave a sign of life, in milliseconds since the start.
    beat_at_ms: AtomicU64,
}

/// What a part gives signs of life with.
pub(crate) struct Pulse {
    part: Arc<Part>,
    start: Instant,
    every: Duration,
    /// When the next sign is due.
    due: Instant,
}

/// How long a part has been silent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) part: String,
    pub(crate) lasts: Duration,
    pub(crate) is_wedged: bool,
}

impl Pulses {
    /// No part runs yet.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, start: Instant::now(), parts: Mutex::default() }
    }

    /// A part begins to run at this moment.
    pub(crate) fn part(&self, name: impl Into<String>) -> Pulse {
        let due = Instant::now();
        let beat_at_ms = AtomicU64::new((due - self.start).as_millis() as u64);
        let part = Arc::new(Part { name: name.into(), beat_at_ms });
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&part));
        Pulse { part, start: self.start, every: self.limit / BEATS_WITHIN_LIMIT, due }
    }

    /// How long each part has been silent.
    pub(crate) fn silences(&self, now: Instant) -> Vec<Silence> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let silence = |part: &Arc<Part>| {
            let beat_at = self.start + Duration::from_millis(part.beat_at_ms.load(Ordering::Relaxed));
            let lasts = now.saturating_duration_since(beat_at);
            Silence { part: part.name.clone(), lasts, is_wedged: lasts > self.limit }
        };
        parts.iter().map(silence).collect()
    }

    /// Why the process should be restarted; none where all parts run.
    pub(crate) fn complaint(&self, now: Instant) -> Option<String> {
        let silences = self.silences(now);
        let wedged = silences.iter().filter(|silence| silence.is_wedged);
        let named: Vec<_> =
            wedged.map(|silence| format!("{} has not run for {} s", silence.part, silence.lasts.as_secs())).collect();
        (!named.is_empty()).then(|| format!("{}; only a restart of typha helps", named.join(", ")))
    }
}

impl Pulse {
    /// Completes when a sign of life is due, and gives it. Dropping the future loses nothing.
    pub(crate) async fn beat(&mut self) {
        sleep_until(self.due.into()).await;
        let now = Instant::now();
        self.part.beat_at_ms.store((now - self.start).as_millis() as u64, Ordering::Relaxed);
        self.due = now + self.every;
    }

    /// Gives signs of life for ever.
    pub(crate) async fn go_on(mut self) {
        loop {
            self.beat().await;
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, state) = if self.is_wedged { ('-', "failed: it does not run") } else { ('+', "ok") };
        write!(f, "[{sign}]{} {state} (last ran {} s ago)", self.part, self.lasts.as_secs())
    }
}
