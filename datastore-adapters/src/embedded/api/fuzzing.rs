//! Requests as clients of the store may send them, through everything but the disk.

use prost::Message;

use super::{convert, pb};
use crate::embedded::{
    record::Records,
    request::{Operation, Transaction},
    state::{Commit, FIRST_REVISION, State},
    transaction::{evaluate, read},
};

/// The one lease that there is.
const LEASE: i64 = 7;

/// Requests one after the other, each a byte that says what it is, a byte of length, and its message. Revisions count up
/// by one with what is written, and with nothing else.
pub fn requests(mut bytes: &[u8]) {
    let base = Commit { revision: FIRST_REVISION, records: Records::new(), changes: Vec::new() };
    let mut state = State::new(base, 0);
    while let [kind, length, rest @ ..] = bytes {
        let (message, after) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = after;
        match kind % 5 {
            0 => range(&state, message),
            1 => transact(&mut state, step::<pb::PutRequest>(message, |put| Operation::Put(convert::put(put)))),
            2 => {
                let delete = |request| Operation::Delete(convert::delete(request));
                transact(&mut state, step::<pb::DeleteRangeRequest>(message, delete));
            }
            3 => {
                let request = pb::TxnRequest::decode(message).ok();
                transact(&mut state, request.and_then(|request| convert::transaction(request).ok()));
            }
            _ => {
                let Ok(request) = pb::CompactionRequest::decode(message) else { continue };
                // What it is refused for is not of interest.
                let _ = state.compact(convert::from_wire(request.revision));
                assert!(state.records_at(state.revision()).is_ok(), "the present was compacted away");
            }
        }
    }
}

fn step<M: Message + Default>(message: &[u8], operation: impl FnOnce(M) -> Operation) -> Option<Transaction> {
    let request = M::decode(message).ok()?;
    Some(Transaction { success: vec![operation(request)], ..Transaction::default() })
}

fn range(state: &State, message: &[u8]) {
    let Ok(request) = pb::RangeRequest::decode(message) else { return };
    let range = convert::range(request);
    let Ok(found) = read(state, &range) else { return };
    assert!(range.limit == 0 || found.pairs.len() <= range.limit, "more was found than asked for");
    let _ = convert::found(found, None).encode_to_vec();
}

fn transact(state: &mut State, transaction: Option<Transaction>) {
    let Some(transaction) = transaction else { return };
    let Ok((answer, changes)) = evaluate(state, &|lease| lease == LEASE, &transaction) else { return };
    let _ = convert::transaction_answer(answer, None).encode_to_vec();
    if changes.is_empty() {
        return;
    }
    let before = state.revision();
    state.push(state.current().next(changes));
    assert_eq!(state.revision(), before + 1, "a transaction makes one revision");
}
