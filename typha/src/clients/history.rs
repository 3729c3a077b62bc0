//! When changes were seen here, so that it can be said for how long a client has lacked one. Pure.

use std::{collections::VecDeque, time::Instant};

use model::Version;

use super::Point;

/// Moments that are remembered, a second or more apart: an hour of changes without a pause, in 60 KB. A client that lags
/// for longer than that is said to lag for an hour.
const MOMENTS: usize = 3600;

/// The revisions of one datastore's changes, and when each was seen first. Those between two entries were seen with the
/// later one.
#[derive(Debug, Default)]
pub(super) struct History {
    datastore_id: Option<u64>,
    /// When it took the place of another datastore.
    replaced_at: Option<Instant>,
    moments: VecDeque<(Version, Instant)>,
}

impl History {
    /// The last change is this one, as of `now`. What was noted of another datastore is forgotten.
    pub(super) fn note(&mut self, Point { datastore_id, revision }: Point, now: Instant) {
        if self.datastore_id.replace(datastore_id).is_some_and(|noted| noted != datastore_id) {
            self.replaced_at = Some(now);
            self.moments.clear();
        }
        if self.moments.back().is_some_and(|(newest, _)| *newest >= revision) {
            return;
        }
        if self.moments.len() == MOMENTS {
            self.moments.pop_front();
        }
        self.moments.push_back((revision, now));
    }

    /// When the datastore took the place of another one; none where it did not.
    pub(super) fn replaced_at(&self) -> Option<Instant> {
        self.replaced_at
    }

    /// When the first change after `revision` was seen; none where there is none.
    pub(super) fn followed_at(&self, revision: Version) -> Option<Instant> {
        let next = self.moments.partition_point(|(noted, _)| *noted <= revision);
        self.moments.get(next).map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn point(revision: Version) -> Point {
        Point { datastore_id: 7, revision }
    }

    #[test]
    fn it_tells_when_a_client_fell_behind() {
        let (start, mut history) = (Instant::now(), History::default());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(history.followed_at(0), None);
        for (revision, seconds) in [(5, 1), (5, 2), (9, 3), (12, 4)] {
            history.note(point(revision), after(seconds));
        }
        for (revision, seconds) in [(0, Some(1)), (4, Some(1)), (5, Some(3)), (8, Some(3)), (9, Some(4)), (12, None)] {
            assert_eq!(history.followed_at(revision), seconds.map(after), "after revision {revision}");
        }
    }

    #[test]
    fn what_it_remembers_is_bounded() {
        let (start, mut history) = (Instant::now(), History::default());
        for n in 0..2 * MOMENTS as u64 {
            history.note(point(n + 1), start + Duration::from_secs(n));
        }
        assert_eq!(history.moments.len(), MOMENTS);
        assert_eq!(history.followed_at(1), Some(start + Duration::from_secs(MOMENTS as u64)));
    }

    #[test]
    fn another_datastore_has_a_history_of_its_own() {
        let (start, mut history) = (Instant::now(), History::default());
        let later = start + Duration::from_secs(1);
        history.note(point(1000), start);
        assert_eq!(history.replaced_at(), None);
        history.note(Point { datastore_id: 8, revision: 3 }, later);
        assert_eq!((history.followed_at(2), history.replaced_at()), (Some(later), Some(later)));
    }
}
