//! What can be asked of the store and what it answers, in etcd's terms but not in its wire format.

use std::sync::Arc;

use bytes::Bytes;
use model::Version;

use super::{key_range::KeyRange, record::Record};

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
