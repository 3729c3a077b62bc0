//! The gates by name, and since when each is open or shut. Pure.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::{Serialize, Serializer};

/// What keeps each gate shut; nothing where it is open.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    pub(super) draining: Option<String>,
    pub(super) damaged: Option<String>,
    pub(super) unlisted: Option<String>,
    pub(super) stale: Option<String>,
    pub(super) certificates: Option<String>,
    pub(super) wedged: Option<String>,
}

const GATES: usize = 6;

impl Failures {
    /// Each gate's name when it is open, what begins a line when it is shut, and what keeps it shut.
    fn by_gate(self) -> [(&'static str, &'static str, Option<String>); GATES] {
        [
            ("not-draining", "draining", self.draining),
            ("memory-sound", "damaged", self.damaged),
            ("datastore-listed", "not in sync", self.unlisted),
            ("upstream-fresh", "stale", self.stale),
            ("certificates-valid", "certificates", self.certificates),
            ("parts-running", "wedged", self.wedged),
        ]
    }
}

/// One gate at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Gate {
    pub(crate) name: &'static str,
    /// What a line of obstacles begins with.
    #[serde(skip)]
    word: &'static str,
    /// What keeps it shut; `null` where it is open.
    pub(crate) reason: Option<String>,
    /// For how long it has been open, or shut.
    #[serde(rename = "for_ms", serialize_with = "as_ms")]
    pub(crate) lasts: Duration,
}

/// Since when each gate is as it is.
pub(super) struct Gates {
    seen: [Seen; GATES],
}

#[derive(Clone, Copy)]
struct Seen {
    is_shut: bool,
    since: Instant,
}

impl Gates {
    /// All gates are open, until the first look.
    pub(super) fn new(now: Instant) -> Self {
        Self { seen: [Seen { is_shut: false, since: now }; GATES] }
    }

    /// The gates as of `now`.
    pub(super) fn update(&mut self, failures: Failures, now: Instant) -> Vec<Gate> {
        let gates = failures.by_gate().into_iter().zip(&mut self.seen);
        let update = |((name, word, reason), seen): ((_, _, Option<String>), &mut Seen)| {
            if seen.is_shut != reason.is_some() {
                *seen = Seen { is_shut: reason.is_some(), since: now };
            }
            Gate { name, word, reason, lasts: now.saturating_duration_since(seen.since) }
        };
        gates.map(update).collect()
    }
}

impl Gate {
    /// Why clients should not come here.
    pub(super) fn obstacle(&self) -> Option<String> {
        self.reason.as_ref().map(|reason| format!("{}: {reason}", self.word))
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, seconds) = (self.name, self.lasts.as_secs());
        match &self.reason {
            None => write!(f, "[+]{name} ok (for {seconds} s)"),
            Some(reason) => write!(f, "[-]{name} failed: {reason} (for {seconds} s)"),
        }
    }
}

fn as_ms<S: Serializer>(lasts: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(lasts.as_millis() as u64)
}
