//! Why a replica is avoided, and for how long.

use std::time::Duration;

use tokio::time::Instant;

/// What went wrong with a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Trouble {
    /// It was not reached, or its stream ended by itself.
    Failed,
    /// It has its share of clients.
    Full,
    /// It asked to be left alone for so long.
    Busy {
        /// For how long.
        retry_after: Duration,
    },
    /// It is behind, or could not go on from where the client stands.
    Unfit,
    /// Its view of the datastore is old.
    Stale,
    /// It asked its clients to go.
    Leaving {
        /// How long they may take.
        within: Duration,
    },
}

/// A replica that is avoided, or was not long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    trouble: Trouble,
    /// When it was in trouble last.
    pub(super) at: Instant,
    /// It is avoided until then.
    pub(super) until: Instant,
    /// How often in a row it was still in trouble when it had been avoided for long enough.
    times: u32,
}

impl Trouble {
    /// It was left because it had asked for that.
    pub(in crate::sync) const LEFT: Self = Self::Leaving { within: Duration::ZERO };

    /// For how long a replica is avoided, the first time and at most.
    fn rests(self) -> (Duration, Duration) {
        match self {
            // One that restarts is back in seconds, and one that is behind catches up in seconds; going back to it is not
            // urgent. One that is gone costs a connection a minute.
            Self::Failed | Self::Unfit => (Duration::from_secs(5), Duration::from_mins(1)),
            // Shares change when replicas or nodes come and go, which is rare.
            Self::Full => (Duration::from_mins(1), Duration::from_mins(10)),
            Self::Busy { retry_after } => (retry_after, retry_after),
            // The datastore is often back for all at once; see `freshness`.
            Self::Stale => (Duration::from_secs(30), Duration::from_mins(5)),
            // Longer than the drain, so that nobody comes back before it has ended; not much longer, or an update that
            // restarts one after the other brings all clients to the last.
            Self::Leaving { within } => (within.max(Duration::from_secs(10)), within.max(Duration::from_mins(1))),
        }
    }
}

impl Standing {
    /// After more trouble. `random` in `0.0..1.0` spreads what many learn at the same time.
    pub(super) fn after(before: Option<&Self>, trouble: Trouble, now: Instant, random: f64) -> Self {
        // Who was asked before its time is not avoided for longer by that.
        let times = before.map_or(0, |before| before.times.saturating_add(u32::from(before.until <= now)));
        let (first, most) = trouble.rests();
        let rest = first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(most);
        // Never shorter: whoever names a time means it.
        Self { trouble, at: now, until: now + rest.mul_f64(1.0 + random.clamp(0.0, 1.0) / 2.0), times }
    }

    /// Whether the replica is not to be asked before its time, whatever happens.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.trouble, Trouble::Busy { .. })
    }

    /// Whether a client that has to leave its replica may ask this one: one whose view is old it would not take.
    pub(super) fn is_worth_asking(&self) -> bool {
        !matches!(self.trouble, Trouble::Busy { .. } | Trouble::Stale)
    }

    /// Whether its clients are to leave.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.trouble, Trouble::Leaving { .. })
    }

    /// Whether it serves clients all the same.
    pub(super) fn is_serving(&self) -> bool {
        !matches!(self.trouble, Trouble::Failed | Trouble::Leaving { .. })
    }

    /// Which one to ask first where all are avoided: the lower.
    pub(super) fn last_resort(&self) -> (u8, Instant) {
        let class = match self.trouble {
            Trouble::Full => 0,
            Trouble::Stale | Trouble::Unfit => 1,
            Trouble::Failed | Trouble::Leaving { .. } => 2,
            Trouble::Busy { .. } => 3,
        };
        (class, self.until)
    }
}
