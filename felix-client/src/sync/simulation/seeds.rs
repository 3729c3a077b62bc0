//! Many seeds, on all cores.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Instant,
};

use super::{Defect, outcome::Outcome, run};

/// Which seeds to run, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeds {
    pub(super) from: u64,
    pub(super) count: u64,
    /// No seed is begun after this.
    pub(super) until: Option<Instant>,
    /// So many of the first are run twice, and must come to the same.
    pub(super) twice: u64,
    pub(super) defect: Option<Defect>,
}

/// What many seeds came to.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) seeds: u64,
    /// How many of them were run twice.
    pub(super) twice: u64,
    pub(super) total: Outcome,
}

/// A seed that fails, with what it found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failure {
    pub(super) seed: u64,
    pub(super) found: String,
}

impl Seeds {
    /// The first so many, once each.
    pub(super) fn first(count: u64) -> Self {
        Self { from: 0, count, until: None, twice: 0, defect: None }
    }

    /// On all cores. The first failure, which does not depend on the cores, or what all came to.
    pub(super) fn run(self) -> Result<Report, Failure> {
        let next = AtomicU64::new(self.from);
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let results: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.work(&next))).collect();
            workers.into_iter().map(|worker| worker.join().expect("panics are caught")).collect()
        });
        if let Some(first) = results.iter().filter_map(|result| result.as_ref().err()).min() {
            return Err(first.clone());
        }
        let mut all = Report::default();
        for report in results.into_iter().flatten() {
            all.seeds += report.seeds;
            all.twice += report.twice;
            all.total.add(&report.total);
        }
        Ok(all)
    }

    fn work(self, next: &AtomicU64) -> Result<Report, Failure> {
        let mut report = Report::default();
        let end = self.from.saturating_add(self.count);
        while self.until.is_none_or(|until| Instant::now() < until) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            let is_twice = seed - self.from < self.twice;
            match self.verdict(seed, is_twice) {
                Ok(outcome) => report.total.add(&outcome),
                Err(found) => {
                    // Nobody need look at later ones.
                    next.store(end, Ordering::Relaxed);
                    return Err(Failure { seed, found });
                }
            }
            report.seeds += 1;
            report.twice += u64::from(is_twice);
        }
        Ok(report)
    }

    /// What a seed comes to, or what it finds.
    fn verdict(self, seed: u64, is_twice: bool) -> Result<Outcome, String> {
        let once = || {
            catch_unwind(AssertUnwindSafe(|| run(seed, self.defect, false))).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
            })
        };
        let first = once()?;
        if is_twice {
            let second = once()?;
            if first != second {
                return Err(format!("two runs differ: {first:?} and {second:?}"));
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests;
