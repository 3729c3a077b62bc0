//! When the state in memory is looked at: all of it every minute, and what a client complains of at once.
//!
//! Pure: the time comes in, slices come out. The slices of a round are spread, so that it never takes more than a
//! fraction of a core.

use std::time::{Duration, Instant};

use model::digest::RangeSet;

use crate::store::{Audit, End, Slice, View};

/// From the end of a round to the next. A round over 500,000 keys takes 1.2 s of CPU, spread over some three (the bench
/// `store` says what a key takes): damage that no client meets earlier is found within a minute, for a fiftieth of a core.
const ROUND_EVERY: Duration = Duration::from_secs(55);

/// From one slice of a round, of two milliseconds, to the next: half a core at most, while a round lasts.
const SLICE_EVERY: Duration = Duration::from_millis(5);

/// From a round that found something to the next. What damaged one entry may have damaged others since.
const AFTER_DAMAGE: Duration = Duration::from_secs(5);

/// From a complaint's round to the next complaint's. Clients' own damage makes them complain too, and however many do,
/// the cost stays bounded.
const COMPLAINTS_EVERY: Duration = Duration::from_secs(1);

/// Decides what is looked at next.
#[derive(Default)]
pub(super) struct Auditor {
    /// The round under way.
    round: Option<Round>,
    /// When the next slice or round is due; none before the first state.
    due: Option<Instant>,
    /// When all is to be looked at, however many complaints come meanwhile.
    all_at: Option<Instant>,
    /// What clients complained of and no round covers yet.
    complaint: Option<Complaint>,
    /// When the last complaint's round began.
    heard_at: Option<Instant>,
}

struct Round {
    audit: Audit,
    has_damage: bool,
    /// Whether it looks at everything.
    is_of_all: bool,
    /// The complaint that it settles.
    complaint: Option<u64>,
}

/// Ranges that clients doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Where their digests and ours differ.
    pub(super) ranges: RangeSet,
    /// The number of the newest complaint.
    pub(super) number: u64,
}

/// What a slice amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) slice: Slice,
    /// The complaint that is settled by it.
    pub(super) settled: Option<u64>,
}

impl Auditor {
    /// The first state is complete. Who complained before that waits for it.
    pub(super) fn start(&mut self, now: Instant) {
        let all_at = *self.all_at.get_or_insert(now + ROUND_EVERY);
        self.due.get_or_insert(if self.complaint.is_some() { now } else { all_at });
    }

    /// When [`Self::slice`] is to be called next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A client complains: a round of the ranges that it names begins as soon as the bounds allow.
    pub(super) fn complain(&mut self, complaint: Complaint, now: Instant) {
        let ranges = self.complaint.map_or(complaint.ranges, |earlier| earlier.ranges.union(complaint.ranges));
        self.complaint = Some(Complaint { ranges, ..complaint });
        let earliest = self.may_hear_at(now);
        if self.round.is_none() {
            self.due = self.due.map(|due| due.min(earliest));
        }
    }

    /// Looks at the next slice.
    pub(super) fn slice(&mut self, view: &View, now: Instant) -> Finding {
        let mut round = self.round.take().unwrap_or_else(|| self.begin(view, now));
        let slice = round.audit.slice();
        round.has_damage |= !slice.damaged.is_empty() || slice.end == Some(End::SumsDiffer);
        if slice.end.is_none() {
            (self.round, self.due) = (Some(round), Some(now + SLICE_EVERY));
            return Finding { slice, settled: None };
        }
        self.due = Some(self.after(&round, now));
        Finding { slice, settled: round.complaint }
    }

    fn begin(&mut self, view: &View, now: Instant) -> Round {
        let complaint = self.complaint.take();
        if complaint.is_some() {
            self.heard_at = Some(now);
        }
        // Clients that keep complaining of some ranges do not put off the look at all the others.
        let doubted = complaint.filter(|_| self.all_at.is_some_and(|all_at| now < all_at));
        let ranges = doubted.map_or_else(RangeSet::all, |complaint| complaint.ranges);
        Round {
            audit: Audit::start(view.clone(), ranges),
            has_damage: false,
            is_of_all: doubted.is_none(),
            complaint: complaint.map(|complaint| complaint.number),
        }
    }

    /// When the next round begins.
    fn after(&mut self, round: &Round, now: Instant) -> Instant {
        let regular = self.all_at.filter(|_| !round.is_of_all).unwrap_or(now + ROUND_EVERY);
        let all_at = if round.has_damage { regular.min(now + AFTER_DAMAGE) } else { regular };
        self.all_at = Some(all_at);
        if self.complaint.is_some() { all_at.min(self.may_hear_at(now)) } else { all_at }
    }

    fn may_hear_at(&self, now: Instant) -> Instant {
        self.heard_at.map_or(now, |heard_at| now.max(heard_at + COMPLAINTS_EVERY))
    }
}
