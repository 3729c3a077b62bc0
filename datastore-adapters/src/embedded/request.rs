//! What can be asked of the store and what it answers, in etcd's terms but not in its wire format.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;
use model::Version;

use super::record::{Record, Records};

/// Why a request is not done. The messages are etcd's, because its clients look for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The revision is gone.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// The revision is yet to come.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// A write or read without a key.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// A transaction that writes a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// A transaction with too many operations.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOperations,
    /// A request that is too large.
    #[error("etcdserver: request is too large")]
    TooLarge,
    /// A put that keeps the value or lease of a key that is not there.
    #[error("etcdserver: key not found")]
    KeyNotFound,
    /// A lease that is not there, or no more.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// A lease that is there already.
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    /// The log cannot be written; the message names the file.
    #[error("{0}")]
    Storage(String),
    /// The store is being closed.
    #[error("etcdserver: server stopped")]
    Closed,
}

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

/// A read.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub keys: KeyRange,
    /// At most so many; 0 for all.
    pub limit: usize,
    /// At this revision; 0 for now.
    pub revision: Version,
    /// `None` for the order of keys.
    pub sort: Option<(SortBy, SortOrder)>,
    pub keys_only: bool,
    pub count_only: bool,
    /// Bounds, inclusive; 0 for none.
    pub mod_revisions: (Version, Version),
    /// Bounds, inclusive; 0 for none.
    pub create_revisions: (Version, Version),
}

/// What to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SortBy {
    Key,
    Version,
    CreateRevision,
    ModRevision,
    Value,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SortOrder {
    Ascending,
    Descending,
}

/// A write.
#[derive(Clone, Debug)]
pub(super) struct Put {
    pub key: Bytes,
    /// `None` keeps the value that is there.
    pub value: Option<Bytes>,
    /// `None` keeps the lease that is there; 0 for no lease.
    pub lease: Option<i64>,
    /// Whether the answer tells what was there.
    pub previous: bool,
}

/// A deletion.
#[derive(Clone, Debug)]
pub(super) struct Delete {
    pub keys: KeyRange,
    /// Whether the answer tells what was there.
    pub previous: bool,
}

/// A condition over all keys of a range.
#[derive(Clone, Debug)]
pub(super) struct Compare {
    pub keys: KeyRange,
    pub target: CompareTarget,
    pub result: CompareResult,
}

/// What to compare with what.
#[derive(Clone, Debug)]
pub(super) enum CompareTarget {
    Version(u64),
    CreateRevision(Version),
    ModRevision(Version),
    Value(Bytes),
    Lease(i64),
}

/// How it must compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompareResult {
    Equal,
    NotEqual,
    Greater,
    Less,
}

/// One step of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Range(Range),
    Put(Put),
    Delete(Delete),
    Transaction(Transaction),
}

/// If all conditions hold then these steps, else those, all at one revision.
#[derive(Clone, Debug, Default)]
pub(super) struct Transaction {
    pub conditions: Vec<Compare>,
    pub success: Vec<Operation>,
    pub failure: Vec<Operation>,
}

/// A key and its record.
pub(super) type Pair = (Bytes, Arc<Record>);

/// What a read found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub pairs: Vec<Pair>,
    /// There are more than the limit allowed.
    pub more: bool,
    /// All keys in the range, filters and limit apart.
    pub count: usize,
    /// Values are not to be told.
    pub keys_only: bool,
}

/// What a step answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Range(Found),
    Put { previous: Option<Pair> },
    Delete { deleted: usize, previous: Vec<Pair> },
    Transaction(TransactionAnswer),
}

/// What a transaction answers.
#[derive(Clone, Debug)]
pub(super) struct TransactionAnswer {
    /// Whether the conditions held.
    pub succeeded: bool,
    /// One for each step.
    pub answers: Vec<Answer>,
}
