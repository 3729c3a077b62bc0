//! What a transaction does to a state: pure, and all or nothing. Where the result goes is the writer's business.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use model::Version;

use super::{
    RequestError,
    record::{Change, Record, Records},
    request::{
        Answer, Compare, CompareResult, CompareTarget, Delete, Found, Operation, Put, Range, SortBy, SortOrder,
        Transaction, TransactionAnswer,
    },
    state::{State, set},
};

/// etcd's default limit of operations in one transaction.
pub(super) const OPERATIONS_MAX: usize = 128;
/// etcd's default limit of a request's bytes.
pub(super) const REQUEST_MAX: usize = 3 << 19;

/// A transaction under way.
struct Draft<'a> {
    state: &'a State,
    /// Everything as of now in the transaction: later steps see what earlier ones did.
    records: Records,
    /// The revision that the transaction will be.
    revision: Version,
    changes: Vec<Change>,
    /// Keys put, for which a second put or a deletion is refused.
    put: BTreeSet<Bytes>,
    /// Whether a lease is there.
    has_lease: &'a dyn Fn(i64) -> bool,
}

/// Does the transaction, in the mind only: the answer, and the changes to commit.
pub(super) fn evaluate(
    state: &State,
    has_lease: &dyn Fn(i64) -> bool,
    transaction: &Transaction,
) -> Result<(TransactionAnswer, Vec<Change>), RequestError> {
    let mut draft = Draft {
        state,
        records: state.records().clone(),
        revision: state.revision() + 1,
        changes: Vec::new(),
        put: BTreeSet::new(),
        has_lease,
    };
    let answer = draft.transaction(transaction)?;
    Ok((answer, draft.changes))
}

/// Reads a state.
pub(super) fn read(state: &State, range: &Range) -> Result<Found, RequestError> {
    find(state.records_at(range.revision)?, range)
}

impl Draft<'_> {
    fn transaction(&mut self, transaction: &Transaction) -> Result<TransactionAnswer, RequestError> {
        let sizes = [transaction.conditions.len(), transaction.success.len(), transaction.failure.len()];
        if sizes.into_iter().any(|size| size > OPERATIONS_MAX) {
            return Err(RequestError::TooManyOperations);
        }
        let succeeded = transaction.conditions.iter().all(|condition| holds(&self.records, condition));
        let steps = if succeeded { &transaction.success } else { &transaction.failure };
        let answers = steps.iter().map(|step| self.step(step)).collect::<Result<_, _>>()?;
        Ok(TransactionAnswer { succeeded, answers })
    }

    fn step(&mut self, step: &Operation) -> Result<Answer, RequestError> {
        match step {
            Operation::Range(range) => self.range(range).map(Answer::Range),
            Operation::Put(put) => self.put(put),
            Operation::Delete(delete) => self.delete(delete),
            Operation::Transaction(transaction) => self.transaction(transaction).map(Answer::Transaction),
        }
    }

    fn range(&self, range: &Range) -> Result<Found, RequestError> {
        match range.revision {
            0 => find(&self.records, range),
            _ => read(self.state, range),
        }
    }

    fn put(&mut self, put: &Put) -> Result<Answer, RequestError> {
        if put.key.is_empty() {
            return Err(RequestError::EmptyKey);
        }
        if self.changes.iter().any(|change| change.key == put.key) {
            return Err(RequestError::DuplicateKey);
        }
        let previous = self.records.get(&put.key).cloned();
        let record = Arc::new(self.record(put, previous.as_deref())?);
        self.put.insert(put.key.clone());
        self.change(Change { key: put.key.clone(), record: Some(record), previous: previous.clone() });
        let told = previous.filter(|_| put.previous).map(|record| (put.key.clone(), record));
        Ok(Answer::Put { previous: told })
    }

    fn record(&self, put: &Put, previous: Option<&Record>) -> Result<Record, RequestError> {
        let value = match (&put.value, previous) {
            (Some(value), _) => value.clone(),
            (None, Some(previous)) => previous.value.clone(),
            (None, None) => return Err(RequestError::KeyNotFound),
        };
        let lease = match (put.lease, previous) {
            (Some(lease), _) => lease,
            (None, Some(previous)) => previous.lease,
            (None, None) => return Err(RequestError::KeyNotFound),
        };
        if lease != 0 && !(self.has_lease)(lease) {
            return Err(RequestError::LeaseNotFound);
        }
        Ok(Record {
            create_revision: previous.map_or(self.revision, |previous| previous.create_revision),
            mod_revision: self.revision,
            version: previous.map_or(1, |previous| previous.version + 1),
            lease,
            value,
        })
    }

    fn delete(&mut self, delete: &Delete) -> Result<Answer, RequestError> {
        if delete.keys.start.is_empty() {
            return Err(RequestError::EmptyKey);
        }
        if self.put.iter().any(|key| delete.keys.contains(key)) {
            return Err(RequestError::DuplicateKey);
        }
        let doomed: Vec<_> =
            delete.keys.of(&self.records).map(|(key, record)| (key.clone(), Arc::clone(record))).collect();
        for (key, record) in &doomed {
            self.change(Change { key: key.clone(), record: None, previous: Some(Arc::clone(record)) });
        }
        let deleted = doomed.len();
        Ok(Answer::Delete { deleted, previous: if delete.previous { doomed } else { Vec::new() } })
    }

    fn change(&mut self, change: Change) {
        set(&mut self.records, &change);
        self.changes.push(change);
    }
}

fn find(records: &Records, range: &Range) -> Result<Found, RequestError> {
    if range.keys.start.is_empty() {
        return Err(RequestError::EmptyKey);
    }
    let count = range.keys.of(records).count();
    if range.count_only {
        return Ok(Found { count, ..Found::default() });
    }
    let matching = range.keys.of(records).filter(|(_, record)| {
        is_within(record.mod_revision, range.mod_revisions) && is_within(record.create_revision, range.create_revisions)
    });
    let limit = if range.limit == 0 { usize::MAX } else { range.limit };
    // Sorting needs them all; else one more than the limit tells whether there are more.
    let wanted = if range.sort.is_some() { usize::MAX } else { limit.saturating_add(1) };
    let mut pairs: Vec<_> = matching.take(wanted).map(|(key, record)| (key.clone(), Arc::clone(record))).collect();
    if let Some((by, order)) = range.sort {
        pairs.sort_by(|a, b| match order {
            SortOrder::Ascending => compare_by(by, a, b),
            SortOrder::Descending => compare_by(by, b, a),
        });
    }
    let more = pairs.len() > limit;
    pairs.truncate(limit);
    Ok(Found { pairs, more, count, keys_only: range.keys_only })
}

fn is_within(revision: Version, (min, max): (Version, Version)) -> bool {
    revision >= min && (max == 0 || revision <= max)
}

fn compare_by(by: SortBy, a: &(Bytes, Arc<Record>), b: &(Bytes, Arc<Record>)) -> Ordering {
    match by {
        SortBy::Key => a.0.cmp(&b.0),
        SortBy::Version => a.1.version.cmp(&b.1.version),
        SortBy::CreateRevision => a.1.create_revision.cmp(&b.1.create_revision),
        SortBy::ModRevision => a.1.mod_revision.cmp(&b.1.mod_revision),
        SortBy::Value => a.1.value.cmp(&b.1.value),
    }
}

/// Whether the condition holds for every key of its range; a key that is not there has version, revisions and lease 0,
/// and no value.
fn holds(records: &Records, condition: &Compare) -> bool {
    let mut found = condition.keys.of(records).peekable();
    if found.peek().is_none() {
        return holds_for(None, condition);
    }
    found.all(|(_, record)| holds_for(Some(record), condition))
}

fn holds_for(record: Option<&Arc<Record>>, condition: &Compare) -> bool {
    let number = |of: fn(&Record) -> u64| record.map_or(0, |record| of(record));
    let ordering = match &condition.target {
        CompareTarget::Version(version) => number(|record| record.version).cmp(version),
        CompareTarget::CreateRevision(revision) => number(|record| record.create_revision).cmp(revision),
        CompareTarget::ModRevision(revision) => number(|record| record.mod_revision).cmp(revision),
        CompareTarget::Lease(lease) => record.map_or(0, |record| record.lease).cmp(lease),
        // As in etcd: no condition on a value holds for a key that has none.
        CompareTarget::Value(value) => match record {
            Some(record) => record.value.cmp(value),
            None => return false,
        },
    };
    match condition.result {
        CompareResult::Equal => ordering == Ordering::Equal,
        CompareResult::NotEqual => ordering != Ordering::Equal,
        CompareResult::Greater => ordering == Ordering::Greater,
        CompareResult::Less => ordering == Ordering::Less,
    }
}

#[cfg(test)]
mod tests;
