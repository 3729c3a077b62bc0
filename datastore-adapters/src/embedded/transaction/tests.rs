//! Transactions against a model that is too simple to be wrong, and etcd's rules one by one.

use std::collections::BTreeMap;

use super::*;
use crate::embedded::{key_range::KeyRange, state::Commit};

fn state() -> State {
    State::new(Commit { revision: 1, records: Records::new(), changes: Vec::new() }, 0)
}

fn one(key: &str) -> KeyRange {
    KeyRange::new(Bytes::copy_from_slice(key.as_bytes()), Bytes::new())
}

fn between(start: &str, end: &str) -> KeyRange {
    KeyRange::new(Bytes::copy_from_slice(start.as_bytes()), Bytes::copy_from_slice(end.as_bytes()))
}

fn put(key: &str, value: &str) -> Operation {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Operation::Put(Put { key: bytes(key), value: Some(bytes(value)), lease: Some(0), previous: true })
}

fn delete(keys: KeyRange) -> Operation {
    Operation::Delete(Delete { keys, previous: true })
}

fn range(keys: KeyRange) -> Range {
    Range {
        keys,
        limit: 0,
        revision: 0,
        sort: None,
        keys_only: false,
        count_only: false,
        mod_revisions: (0, 0),
        create_revisions: (0, 0),
    }
}

fn steps(success: Vec<Operation>) -> Transaction {
    Transaction { success, ..Transaction::default() }
}

fn run(state: &mut State, transaction: &Transaction) -> Result<TransactionAnswer, RequestError> {
    let (answer, changes) = evaluate(state, &|lease| lease == 5, transaction)?;
    if !changes.is_empty() {
        state.push(state.current().next(changes));
    }
    Ok(answer)
}

fn pairs(found: &Found) -> Vec<(String, String)> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    found.pairs.iter().map(|(key, record)| (text(key), text(&record.value))).collect()
}

#[test]
fn agrees_with_a_map_of_everything_ever() {
    let mut random = fastrand::Rng::with_seed(42);
    let mut state = state();
    // Every revision's content, in full.
    let mut model: Vec<BTreeMap<String, String>> = vec![BTreeMap::new(), BTreeMap::new()];
    for _ in 0..2000 {
        let mut now = model.last().unwrap().clone();
        let mut operations = Vec::new();
        // Keys of one transaction differ, as etcd asks for.
        for n in 0..random.usize(1..4) {
            let key = format!("{n}{}", random.u8(b'a'..b'h') as char);
            if random.u8(0..3) == 0 {
                operations.push(delete(between(&key, &format!("{n}z"))));
                now.retain(|known, _| !(known.as_str() >= key.as_str() && known.starts_with(&n.to_string())));
            } else {
                let value = random.u32(..).to_string();
                operations.push(put(&key, &value));
                now.insert(key, value);
            }
        }
        let before = state.revision();
        run(&mut state, &steps(operations)).unwrap();
        assert!(state.revision() <= before + 1, "one transaction, one revision");
        if state.revision() > before {
            model.push(now);
        } else {
            assert_eq!(Some(&now), model.last());
        }
    }
    assert!(state.revision() > 1500);
    state.compact(1000).unwrap();
    for revision in 1..=state.revision() {
        let found = read(&state, &Range { revision, ..range(between("0", "\0")) });
        if revision < 1000 {
            assert_eq!(found.unwrap_err(), RequestError::Compacted);
            continue;
        }
        let expected: Vec<_> = model[revision as usize].clone().into_iter().collect();
        assert_eq!(pairs(&found.unwrap()), expected, "at revision {revision}");
    }
}

#[test]
fn revisions_and_versions_count_as_in_etcd() {
    let mut state = state();
    run(&mut state, &steps(vec![put("a", "1"), put("b", "1")])).unwrap();
    run(&mut state, &steps(vec![put("a", "2")])).unwrap();
    let record = |state: &State, key: &str| {
        let record = state.records().get(key.as_bytes()).unwrap();
        (record.create_revision, record.mod_revision, record.version)
    };
    assert_eq!((record(&state, "a"), record(&state, "b")), ((2, 3, 2), (2, 2, 1)));
    run(&mut state, &steps(vec![delete(one("a"))])).unwrap();
    run(&mut state, &steps(vec![put("a", "3")])).unwrap();
    assert_eq!(record(&state, "a"), (5, 5, 1), "a key that comes back begins anew");
    run(&mut state, &steps(vec![delete(one("never-there"))])).unwrap();
    assert_eq!(state.revision(), 5, "what changes nothing is no revision");
}

#[test]
fn conditions_decide_and_a_missing_key_counts_as_zero() {
    let mut state = state();
    let when = |key: &str, target, result| Compare { keys: one(key), target, result };
    let absent = |key: &str| when(key, CompareTarget::Version(0), CompareResult::Equal);
    let create = |key: &str| Transaction {
        conditions: vec![absent(key)],
        success: vec![put(key, "new")],
        failure: vec![Operation::Range(range(one(key)))],
    };
    assert!(run(&mut state, &create("a")).unwrap().succeeded);
    let second = run(&mut state, &create("a")).unwrap();
    assert!(!second.succeeded);
    let [Answer::Range(found)] = &second.answers[..] else { panic!("{second:?}") };
    assert_eq!(pairs(found), [("a".to_owned(), "new".to_owned())]);

    let holds = |condition| {
        let transaction = Transaction { conditions: vec![condition], ..Transaction::default() };
        evaluate(&state, &|_| false, &transaction).unwrap().0.succeeded
    };
    assert!(holds(when("a", CompareTarget::ModRevision(2), CompareResult::Equal)));
    assert!(holds(when("a", CompareTarget::CreateRevision(3), CompareResult::Less)));
    assert!(holds(when("a", CompareTarget::Value("new".into()), CompareResult::Equal)));
    assert!(holds(when("a", CompareTarget::Lease(0), CompareResult::Equal)));
    assert!(holds(when("x", CompareTarget::ModRevision(1), CompareResult::NotEqual)));
    assert!(!holds(when("x", CompareTarget::Value("".into()), CompareResult::Equal)), "no value, no comparison");
    assert!(!holds(when("a", CompareTarget::Version(1), CompareResult::Greater)));
    assert!(holds(Compare { keys: between("a", "z"), ..when("", CompareTarget::Version(1), CompareResult::Equal) }));
}

#[test]
fn steps_see_what_came_before_and_fail_together() {
    let mut state = state();
    let transaction = steps(vec![put("a", "1"), Operation::Range(range(between("a", "z"))), put("b", "2")]);
    let answer = run(&mut state, &transaction).unwrap();
    let Answer::Range(found) = &answer.answers[1] else { panic!("{answer:?}") };
    assert_eq!(pairs(found), [("a".to_owned(), "1".to_owned())]);

    let before = state.revision();
    let keep_value = Operation::Put(Put { key: "x".into(), value: None, lease: Some(0), previous: false });
    let unknown_lease =
        Operation::Put(Put { key: "x".into(), value: Some("".into()), lease: Some(9), previous: false });
    let refusals = [
        (vec![put("c", "1"), put("c", "2")], RequestError::DuplicateKey),
        (vec![put("c", "1"), delete(between("a", "z"))], RequestError::DuplicateKey),
        (vec![delete(one("a")), put("a", "1")], RequestError::DuplicateKey),
        (vec![put("c", "1"), put("", "2")], RequestError::EmptyKey),
        (vec![put("c", "1"), keep_value], RequestError::KeyNotFound),
        (vec![put("c", "1"), unknown_lease], RequestError::LeaseNotFound),
        (vec![delete(one("a")); 129], RequestError::TooManyOperations),
    ];
    for (steps_of, refusal) in refusals {
        assert_eq!(run(&mut state, &steps(steps_of)).unwrap_err(), refusal);
    }
    assert_eq!((state.revision(), state.records().len()), (before, 2), "nothing of it was done");
}

#[test]
fn reads_are_limited_sorted_and_filtered() {
    let mut state = state();
    for (key, value) in [("b", "1"), ("a", "3"), ("c", "2"), ("a", "0")] {
        run(&mut state, &steps(vec![put(key, value)])).unwrap();
    }
    let all = range(between("a", "z"));
    let keys = |range: &Range| {
        let found = read(&state, range).unwrap();
        let keys: Vec<_> = found.pairs.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
        (keys.join(""), found.more, found.count)
    };
    let is = |keys: &str, more, count| (keys.to_owned(), more, count);
    assert_eq!(keys(&all), is("abc", false, 3));
    assert_eq!(keys(&Range { limit: 2, ..all.clone() }), is("ab", true, 3));
    assert_eq!(keys(&Range { limit: 3, ..all.clone() }), is("abc", false, 3));
    assert_eq!(keys(&Range { count_only: true, ..all.clone() }), is("", false, 3));
    assert_eq!(keys(&Range { mod_revisions: (4, 0), ..all.clone() }), is("ac", false, 3));
    assert_eq!(keys(&Range { create_revisions: (0, 2), ..all.clone() }), is("b", false, 3));
    assert_eq!(keys(&Range { revision: 3, ..all.clone() }), is("ab", false, 2));
    let by = |by, order| Range { sort: Some((by, order)), ..all.clone() };
    assert_eq!(keys(&by(SortBy::ModRevision, SortOrder::Ascending)), is("bca", false, 3));
    assert_eq!(keys(&Range { limit: 1, ..by(SortBy::Value, SortOrder::Descending) }), is("c", true, 3));
    assert_eq!(keys(&range(between("z", "a"))), is("", false, 0));
    assert_eq!(keys(&range(between("b", "b"))), is("", false, 0));
    assert_eq!(keys(&range(between("b", "\0"))), is("bc", false, 2));
    assert_eq!(read(&state, &Range { revision: 9, ..all }).unwrap_err(), RequestError::FutureRevision);
}
