//! How fast those who wait are served, and so when it is worth coming back. Pure.

use std::time::{Duration, Instant};

/// A pace is measured over this at least.
const SAMPLE: Duration = Duration::from_secs(1);

/// Sooner than this nobody need come back: connecting is not free either.
const MIN_RETRY: Duration = Duration::from_secs(1);

/// Nobody is told to stay away for longer: other replicas may have come, and who asks again is served first.
const MAX_RETRY: Duration = Duration::from_mins(1);

/// The pace at which shares come free while somebody waits for them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Since when the present sample is taken; none while nobody waits.
    since: Option<Instant>,
    /// What came free in it.
    freed_bytes: u64,
    bytes_per_sec: Option<f64>,
    /// Until when those who were told to come back fill the budget.
    booked_until: Option<Instant>,
}

impl Pace {
    /// A share came free.
    pub(super) fn freed(&mut self, bytes: u64) {
        self.freed_bytes += bytes;
    }

    /// Time has passed, and somebody waits now or nobody does.
    ///
    /// Where nobody does, nothing is known any more: a pace from when clients hung would keep the next storm's away, and so
    /// few would wait that none would be measured to correct it.
    pub(super) fn look(&mut self, now: Instant, is_busy: bool) {
        if !is_busy {
            *self = Self::default();
            return;
        }
        let Some(since) = self.since else {
            (self.since, self.freed_bytes) = (Some(now), 0);
            return;
        };
        let elapsed = now.saturating_duration_since(since);
        if elapsed < SAMPLE {
            return;
        }
        let sample = self.freed_bytes as f64 / elapsed.as_secs_f64();
        self.bytes_per_sec = Some(self.bytes_per_sec.map_or(sample, |before| f64::midpoint(before, sample)));
        (self.since, self.freed_bytes) = (Some(now), 0);
    }

    /// How long it takes until so much has come free, where that is known.
    pub(super) fn time_for(&self, bytes: u64) -> Option<Duration> {
        let rate = self.bytes_per_sec.filter(|rate| *rate > 0.0)?;
        Some(Duration::try_from_secs_f64(bytes as f64 / rate).unwrap_or(Duration::MAX))
    }

    /// When to come back for `bytes`, where `ahead_bytes` are waited for already; `None` before a pace is known. Each
    /// who is told books its time, so that the next one is told a later one.
    pub(super) fn book(&mut self, ahead_bytes: u64, bytes: u64, now: Instant) -> Option<Duration> {
        let (ahead, own) = (self.time_for(ahead_bytes)?, self.time_for(bytes)?);
        let line_ends = now + ahead.min(MAX_RETRY);
        let begins = self.booked_until.map_or(line_ends, |until| until.max(line_ends)).min(now + MAX_RETRY);
        self.booked_until = Some(begins + own.min(MAX_RETRY));
        Some(begins.saturating_duration_since(now).max(MIN_RETRY))
    }
}
