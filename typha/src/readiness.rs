//! Whether clients should come here, and if not, what keeps them away and since when.
//!
//! A replica is ready when every gate is open. Somebody has to look at the gates while nobody asks, or it could not be
//! said since when one is shut: that is done here, once a second.

mod gates;

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use pki::ServerTls;
use tokio::time::{MissedTickBehavior, interval};

pub(crate) use self::gates::Gate;
use self::gates::{Failures, Gates};
use crate::{
    feed::{Board, Published},
    pulses::Pulses,
};

/// Between two looks. Gates are told of in seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks at the gates, and remembers since when each is as it is.
pub(crate) struct Readiness {
    board: Arc<Board>,
    tls: Arc<ServerTls>,
    pulses: Arc<Pulses>,
    /// Without a sign of life from the datastore for this long, the state is stale.
    stale_after: Duration,
    /// What counts as a sign of life before the first one.
    start: Instant,
    gates: Mutex<Gates>,
}

/// The gates as they are at one moment.
pub(crate) struct Look {
    pub(crate) gates: Vec<Gate>,
    /// What the datastore's adapter complains of. It shuts no gate by itself.
    complaint: Option<Arc<str>>,
}

impl Readiness {
    pub(crate) fn new(board: Arc<Board>, tls: Arc<ServerTls>, pulses: Arc<Pulses>, stale_after: Duration) -> Self {
        let start = Instant::now();
        Self { board, tls, pulses, stale_after, start, gates: Mutex::new(Gates::new(start)) }
    }

    /// The gates at this moment.
    pub(crate) fn look(&self) -> Look {
        let latest = self.board.load();
        let (now, gates) = (Instant::now(), self.gates.lock());
        let gates = gates.unwrap_or_else(PoisonError::into_inner).update(self.failures(&latest, now), now);
        Look { gates, complaint: latest.complaint.clone() }
    }

    /// Looks for ever, and tells the log when clients should come and when they should not.
    pub(crate) async fn keep_looking(self: Arc<Self>) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_ready = false;
        loop {
            looks.tick().await;
            let look = self.look();
            match (was_ready, look.is_ready()) {
                (false, true) => tracing::info!("ready"),
                (true, false) => tracing::warn!("not ready any more: {}", look.obstacles().join("; ")),
                _ => {}
            }
            was_ready = look.is_ready();
        }
    }

    fn failures(&self, latest: &Published, now: Instant) -> Failures {
        let is_damaged = latest.integrity.lost_entries > 0;
        let age = now.saturating_duration_since(latest.proof_of_life.unwrap_or(self.start));
        let certificates = self.tls.expiry().and_then(|expiry| expiry.complaint(SystemTime::now()));
        Failures {
            draining: self.board.draining().map(|drain| drain.reason.clone()),
            damaged: is_damaged.then(|| "entries in memory are being read again from the datastore".to_owned()),
            // Damage says more.
            unlisted: (!latest.in_sync && !is_damaged)
                .then(|| "the datastore has not been listed completely yet".to_owned()),
            stale: (age > self.stale_after)
                .then(|| format!("no sign of life from the datastore for {} s", age.as_secs())),
            certificates,
            wedged: self.pulses.complaint(now),
        }
    }
}

impl Look {
    /// Whether clients should come.
    pub(crate) fn is_ready(&self) -> bool {
        self.gates.iter().all(|gate| gate.reason.is_none())
    }

    /// Why clients should not come here; empty where they should.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        let mut obstacles: Vec<_> = self.gates.iter().filter_map(Gate::obstacle).collect();
        if let Some(complaint) = self.complaint.as_deref().filter(|_| !obstacles.is_empty()) {
            obstacles.push(format!("the datastore: {complaint}"));
        }
        obstacles
    }

    /// A line for each gate, as a kube-apiserver writes them, and all in a word.
    pub(crate) fn verbose(&self) -> String {
        let mut lines: Vec<_> = self.gates.iter().map(ToString::to_string).collect();
        if let Some(complaint) = self.complaint.as_deref() {
            lines.push(format!("the datastore: {complaint}"));
        }
        lines.push(format!("readyz check {}\n", if self.is_ready() { "passed" } else { "failed" }));
        lines.join("\n")
    }
}
