//! Between etcd's messages and the engine's terms. Nothing is decided here.

use std::time::Duration;

use bytes::Bytes;
use model::Version;

use super::{pb, proto::mvccpb};
use crate::embedded::{
    RequestError,
    key_range::KeyRange,
    record::{Change, Record},
    request::{
        Answer, Compare, CompareResult, CompareTarget, Delete, Found, Operation, Pair, Put, Range, SortBy, SortOrder,
        Transaction, TransactionAnswer,
    },
};

/// Revisions and counts on the wire are signed. Ours start at 1 and count up by one, so this never saturates.
pub(super) fn to_wire(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is negative on the wire means "not given".
pub(super) fn from_wire(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Whole seconds, rounded up, so that a lease that is still there never shows 0.
pub(super) fn seconds(duration: Duration) -> i64 {
    to_wire(duration.as_millis().div_ceil(1000) as u64)
}

pub(super) fn range(request: pb::RangeRequest) -> Range {
    let by = match request.sort_target() {
        pb::range_request::SortTarget::Key => SortBy::Key,
        pb::range_request::SortTarget::Version => SortBy::Version,
        pb::range_request::SortTarget::Create => SortBy::CreateRevision,
        pb::range_request::SortTarget::Mod => SortBy::ModRevision,
        pb::range_request::SortTarget::Value => SortBy::Value,
    };
    let sort = match (request.sort_order(), by) {
        // The order in which keys are found anyway.
        (pb::range_request::SortOrder::None | pb::range_request::SortOrder::Ascend, SortBy::Key) => None,
        (pb::range_request::SortOrder::Descend, _) => Some((by, SortOrder::Descending)),
        // etcd: a target without an order is sorted in ascending order.
        (pb::range_request::SortOrder::None | pb::range_request::SortOrder::Ascend, _) => {
            Some((by, SortOrder::Ascending))
        }
    };
    Range {
        keys: KeyRange::new(request.key, request.range_end),
        limit: usize::try_from(request.limit).unwrap_or_default(),
        revision: from_wire(request.revision),
        sort,
        keys_only: request.keys_only,
        count_only: request.count_only,
        mod_revisions: (from_wire(request.min_mod_revision), from_wire(request.max_mod_revision)),
        create_revisions: (from_wire(request.min_create_revision), from_wire(request.max_create_revision)),
    }
}

pub(super) fn put(request: pb::PutRequest) -> Put {
    Put {
        key: request.key,
        value: (!request.ignore_value).then_some(request.value),
        lease: (!request.ignore_lease).then_some(request.lease),
        previous: request.prev_kv,
    }
}

pub(super) fn delete(request: pb::DeleteRangeRequest) -> Delete {
    Delete { keys: KeyRange::new(request.key, request.range_end), previous: request.prev_kv }
}

pub(super) fn transaction(request: pb::TxnRequest) -> Result<Transaction, RequestError> {
    Ok(Transaction {
        conditions: request.compare.into_iter().map(compare).collect(),
        success: request.success.into_iter().map(operation).collect::<Result<_, _>>()?,
        failure: request.failure.into_iter().map(operation).collect::<Result<_, _>>()?,
    })
}

fn operation(operation: pb::RequestOp) -> Result<Operation, RequestError> {
    Ok(match operation.request.ok_or(RequestError::KeyNotFound)? {
        pb::request_op::Request::RequestRange(request) => Operation::Range(range(request)),
        pb::request_op::Request::RequestPut(request) => Operation::Put(put(request)),
        pb::request_op::Request::RequestDeleteRange(request) => Operation::Delete(delete(request)),
        pb::request_op::Request::RequestTxn(request) => Operation::Transaction(transaction(request)?),
    })
}

fn compare(compare: pb::Compare) -> Compare {
    let result = match compare.result() {
        pb::compare::CompareResult::Equal => CompareResult::Equal,
        pb::compare::CompareResult::NotEqual => CompareResult::NotEqual,
        pb::compare::CompareResult::Greater => CompareResult::Greater,
        pb::compare::CompareResult::Less => CompareResult::Less,
    };
    // A comparison without an operand compares with nothing: 0, or no bytes.
    let number = match &compare.target_union {
        Some(
            pb::compare::TargetUnion::Version(number)
            | pb::compare::TargetUnion::CreateRevision(number)
            | pb::compare::TargetUnion::ModRevision(number)
            | pb::compare::TargetUnion::Lease(number),
        ) => *number,
        _ => 0,
    };
    let target = match (compare.target(), &compare.target_union) {
        (pb::compare::CompareTarget::Version, _) => CompareTarget::Version(from_wire(number)),
        (pb::compare::CompareTarget::Create, _) => CompareTarget::CreateRevision(from_wire(number)),
        (pb::compare::CompareTarget::Mod, _) => CompareTarget::ModRevision(from_wire(number)),
        (pb::compare::CompareTarget::Lease, _) => CompareTarget::Lease(number),
        (pb::compare::CompareTarget::Value, Some(pb::compare::TargetUnion::Value(value))) => {
            CompareTarget::Value(value.clone())
        }
        (pb::compare::CompareTarget::Value, _) => CompareTarget::Value(Bytes::new()),
    };
    Compare { keys: KeyRange::new(compare.key, compare.range_end), target, result }
}

pub(super) fn found(found: Found, header: Option<pb::ResponseHeader>) -> pb::RangeResponse {
    let keys_only = found.keys_only;
    let kvs = found.pairs.into_iter().map(|pair| key_value(&pair, keys_only)).collect();
    pb::RangeResponse { header, kvs, more: found.more, count: to_wire(found.count as u64) }
}

pub(super) fn put_answer(previous: Option<&Pair>, header: Option<pb::ResponseHeader>) -> pb::PutResponse {
    pb::PutResponse { header, prev_kv: previous.map(|pair| key_value(pair, false)) }
}

pub(super) fn delete_answer(
    deleted: usize,
    previous: &[Pair],
    header: Option<pb::ResponseHeader>,
) -> pb::DeleteRangeResponse {
    let prev_kvs = previous.iter().map(|pair| key_value(pair, false)).collect();
    pb::DeleteRangeResponse { header, deleted: to_wire(deleted as u64), prev_kvs }
}

pub(super) fn transaction_answer(answer: TransactionAnswer, header: Option<pb::ResponseHeader>) -> pb::TxnResponse {
    let response = |answer| {
        Some(match answer {
            Answer::Range(answer) => pb::response_op::Response::ResponseRange(found(answer, header)),
            Answer::Put { previous } => pb::response_op::Response::ResponsePut(put_answer(previous.as_ref(), header)),
            Answer::Delete { deleted, previous } => {
                pb::response_op::Response::ResponseDeleteRange(delete_answer(deleted, &previous, header))
            }
            Answer::Transaction(answer) => pb::response_op::Response::ResponseTxn(transaction_answer(answer, header)),
        })
    };
    let responses = answer.answers.into_iter().map(|answer| pb::ResponseOp { response: response(answer) }).collect();
    pb::TxnResponse { header, succeeded: answer.succeeded, responses }
}

/// A change as a watch tells it.
pub(super) fn event(change: &Change, revision: Version, with_previous: bool) -> mvccpb::Event {
    let (kind, kv) = if let Some(record) = &change.record {
        (mvccpb::event::EventType::Put, to_key_value(&change.key, record, false))
    } else {
        let kv = mvccpb::KeyValue { key: change.key.clone(), mod_revision: to_wire(revision), ..Default::default() };
        (mvccpb::event::EventType::Delete, kv)
    };
    let previous = change.previous.as_ref().filter(|_| with_previous);
    let prev_kv = previous.map(|record| to_key_value(&change.key, record, false));
    mvccpb::Event { r#type: kind.into(), kv: Some(kv), prev_kv }
}

fn key_value((key, record): &Pair, keys_only: bool) -> mvccpb::KeyValue {
    to_key_value(key, record, keys_only)
}

fn to_key_value(key: &Bytes, record: &Record, keys_only: bool) -> mvccpb::KeyValue {
    mvccpb::KeyValue {
        key: key.clone(),
        create_revision: to_wire(record.create_revision),
        mod_revision: to_wire(record.mod_revision),
        version: to_wire(record.version),
        value: if keys_only { Bytes::new() } else { record.value.clone() },
        lease: record.lease,
    }
}
