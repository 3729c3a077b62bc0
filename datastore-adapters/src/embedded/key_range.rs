//! Ranges of keys, as etcd means them.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;

use super::record::{Record, Records};

/// A range of keys: `[start, end)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyRange {
    pub start: Bytes,
    pub end: RangeEnd,
}

/// Where a range ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RangeEnd {
    /// It is one key.
    OneKey,
    /// It has no end.
    Open,
    /// Before this key.
    Before(Bytes),
}

impl KeyRange {
    /// etcd's way to write a range: no end for one key, a zero byte for an open end.
    pub(super) fn new(start: Bytes, end: Bytes) -> Self {
        let end = match &*end {
            [] => RangeEnd::OneKey,
            [0] => RangeEnd::Open,
            _ => RangeEnd::Before(end),
        };
        Self { start, end }
    }

    pub(super) fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            RangeEnd::OneKey => *self.start == *key,
            RangeEnd::Open => *self.start <= *key,
            RangeEnd::Before(end) => *self.start <= *key && *key < **end,
        }
    }

    /// The records in the range, in the order of their keys.
    pub(super) fn of<'a>(&self, records: &'a Records) -> impl Iterator<Item = (&'a Bytes, &'a Arc<Record>)> + use<'a> {
        let start = Bound::Included(self.start.clone());
        let end = match &self.end {
            RangeEnd::OneKey => Bound::Included(self.start.clone()),
            RangeEnd::Open => Bound::Unbounded,
            // A range that ends before it starts is empty; the map would panic over it.
            RangeEnd::Before(end) => Bound::Excluded(end.clone().max(self.start.clone())),
        };
        let is_empty = end == Bound::Excluded(self.start.clone());
        (!is_empty).then(|| records.range((start, end))).into_iter().flatten()
    }
}
