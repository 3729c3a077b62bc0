//! Which revisions are traced. Every process with the same ratio answers alike, since the trace's identity decides.

use tracing::{Subscriber, dispatcher};
use tracing_subscriber::Layer;

use crate::TraceId;

/// The answer, found through the subscriber in force: a process without traces has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sampling {
    /// Lots below this are traced.
    below: u64,
}

/// One more than the largest lot.
const ALL: u64 = 1 << 63;

impl Sampling {
    /// Of a ratio from 0 to 1.
    pub(crate) fn of(ratio: f64) -> Self {
        Self { below: (ratio.clamp(0.0, 1.0) * ALL as f64) as u64 }
    }

    /// That of this process; none where it makes no traces.
    pub(crate) fn in_force() -> Option<Self> {
        dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Self>().copied())
    }

    pub(crate) fn takes(self, trace: TraceId) -> bool {
        trace.lot() < self.below
    }
}

/// A layer that takes nothing, so that it can be found.
impl<S: Subscriber> Layer<S> for Sampling {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_takes_its_part_and_a_larger_one_takes_more_of_the_same() {
        let traces: Vec<_> = (0..10_000).map(|revision| TraceId::of(1, revision)).collect();
        let count = |ratio| traces.iter().filter(|trace| Sampling::of(ratio).takes(**trace)).count();
        assert_eq!((count(0.0), count(1.0)), (0, traces.len()));
        assert!((900..1100).contains(&count(0.1)), "{}", count(0.1));
        let (small, large) = (Sampling::of(0.1), Sampling::of(0.3));
        assert!(traces.iter().all(|trace| !small.takes(*trace) || large.takes(*trace)));
    }
}
