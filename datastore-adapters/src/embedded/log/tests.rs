//! What was appended is there again after the file is opened anew, compacted or not.

use super::*;

fn change(key: &str, value: Option<&str>, revision: Version) -> Change {
    let record = value.map(|value| {
        let value = Bytes::copy_from_slice(value.as_bytes());
        Arc::new(Record { create_revision: revision, mod_revision: revision, version: 1, lease: 3, value })
    });
    Change { key: Bytes::copy_from_slice(key.as_bytes()), record, previous: None }
}

fn append(log: &Log, state: &mut State, changes: Vec<Change>) {
    let commit = state.current().next(changes);
    state.push(commit.clone());
    log.append(&Batch { commits: vec![commit], ..Batch::default() }).expect("a write");
}

/// Keys and values at a revision.
fn content(state: &State, revision: Version) -> Result<Vec<(Bytes, Bytes)>, RequestError> {
    let records = state.records_at(revision)?;
    Ok(records.iter().map(|(key, record)| (key.clone(), record.value.clone())).collect())
}

/// A store with revisions 2 to 5, compacted or not.
fn store(path: &Path, compact: Option<Version>) -> State {
    let Opened { log, mut state, .. } = Log::open(path).expect("a new store");
    append(&log, &mut state, vec![change("a", Some("1"), 2), change("b", Some("1"), 2)]);
    append(&log, &mut state, vec![change("a", Some("2"), 3)]);
    append(&log, &mut state, vec![change("b", None, 4), change("c", Some("4"), 4)]);
    append(&log, &mut state, vec![change("c", None, 5)]);
    if let Some(revision) = compact {
        log.compact(revision).expect("a write");
        state.compact(revision).expect("a revision");
    }
    state
}

#[test]
fn everything_is_there_again() {
    for compact in [None, Some(2), Some(3), Some(4), Some(5)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("store.redb");
        let before = store(&path, compact);
        let after = Log::open(&path).expect("the same store").state;
        assert_eq!((after.revision(), after.compacted()), (5, compact.unwrap_or(0)));
        for revision in 1..=5 {
            assert_eq!(content(&after, revision), content(&before, revision), "{revision}, compacted at {compact:?}");
        }
        let changes = |state: &State| -> Vec<_> {
            let of = |commit: &Arc<Commit>| {
                (commit.revision, commit.changes.iter().map(|c| c.key.clone()).collect::<Vec<_>>())
            };
            state.commits_from(0).map(of).collect()
        };
        assert_eq!(changes(&after), changes(&before), "compacted at {compact:?}");
    }
}

#[test]
fn revisions_go_on_where_they_were_even_if_nothing_is_left() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("store.redb");
    let Opened { log, mut state, .. } = Log::open(&path).expect("a new store");
    append(&log, &mut state, vec![change("a", Some("1"), 2)]);
    append(&log, &mut state, vec![change("a", None, 3)]);
    log.compact(3).expect("a write");
    let id = log.datastore_id;
    drop(log);
    let Opened { log, mut state, .. } = Log::open(&path).expect("the same store");
    assert_eq!((state.revision(), state.records().len(), log.datastore_id), (3, 0, id));
    append(&log, &mut state, vec![change("b", Some("1"), 4)]);
    drop(log);
    assert_eq!(Log::open(&path).expect("the same store").state.revision(), 4);
}

#[test]
fn leases_are_there_again() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("store.redb");
    let log = Log::open(&path).expect("a new store").log;
    log.append(&Batch { granted: vec![(7, 60), (8, 600)], ..Batch::default() }).expect("a write");
    log.append(&Batch { revoked: vec![7], ..Batch::default() }).expect("a write");
    drop(log);
    assert_eq!(Log::open(&path).expect("the same store").leases, [(8, 600)]);
}

#[test]
fn a_creation_that_was_cut_short_is_made_anew() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("store.redb");
    std::fs::write(path.with_extension("new"), "half a file").expect("a file");
    assert_eq!(Log::open(&path).expect("a new store").state.revision(), FIRST_REVISION);
}
