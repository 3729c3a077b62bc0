//! The state machine against a model server: whatever is cut, repeated, damaged or restarted, what the consumer was
//! given is always a past state of the source, and never an older one than before.

mod repair;

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// A state of the datastore: key to value and revision.
type State = BTreeMap<String, (Bytes, Version)>;

/// A datastore that remembers every state it had. `states[r]` is the state at revision `r`.
struct Source {
    id: u64,
    states: Vec<State>,
}

impl Source {
    fn new() -> Self {
        Self { id: 7, states: vec![State::new()] }
    }

    fn revision(&self) -> Version {
        self.states.len() as Version - 1
    }

    fn write(&mut self, key: &str, value: Option<&str>) {
        let mut state = self.states[self.revision() as usize].clone();
        let revision = self.revision() + 1;
        match value {
            Some(value) => state.insert(key.to_owned(), (Bytes::copy_from_slice(value.as_bytes()), revision)),
            None => state.remove(key),
        };
        self.states.push(state);
    }

    fn digest(&self, revision: Version) -> Digest {
        let mut digest = Digest::default();
        for (key, (value, modified)) in &self.states[revision as usize] {
            digest.add(EntryHash::of(key, *modified, value));
        }
        digest
    }

    fn begin(&self, mode: begin::Mode) -> Batch {
        let begin = Begin { mode: mode.into(), datastore_id: self.id, server: "typha-a".into(), ..Begin::default() };
        Batch { begin: Some(begin), ..Batch::default() }
    }

    fn checkpoint(&self, revision: Version) -> Batch {
        let digest = Bytes::copy_from_slice(&self.digest(revision).to_bytes());
        Batch {
            checkpoint: Some(Checkpoint { revision, digest, upstream_age_ms: 3, in_sync: true }),
            ..Batch::default()
        }
    }

    /// What leads from one state to another, one entry a batch.
    fn entries(&self, from: Version, to: Version) -> Vec<Batch> {
        let (from, target) = (&self.states[from as usize], &self.states[to as usize]);
        let changed = target.iter().filter(|(key, entry)| from.get(*key) != Some(*entry));
        let put = changed.map(|(key, (value, revision))| entry(key, Some(value.clone()), *revision));
        let gone = from.keys().filter(|key| !target.contains_key(*key)).map(|key| entry(key, None, to));
        put.chain(gone).map(|entry| Batch { entries: vec![entry], ..Batch::default() }).collect()
    }

    /// What typha would send to a client that says that it stands here.
    fn answer(&self, position: Option<Position>, to: Version) -> Vec<Batch> {
        match position.filter(|position| position.revision > 0) {
            Some(position) if position.compare => self.repair(&position, to),
            position => self.stream(position.as_ref(), to),
        }
    }

    /// A stream as typha would send it, from a client's position to a revision.
    fn stream(&self, position: Option<&Position>, to: Version) -> Vec<Batch> {
        let (mode, from) = match position {
            Some(position) => (begin::Mode::Resume, position.revision),
            None => (begin::Mode::Snapshot, 0),
        };
        let from = if mode == begin::Mode::Snapshot { 0 } else { from };
        [vec![self.begin(mode)], self.entries(from, to), vec![self.checkpoint(to)]].concat()
    }
}

fn entry(key: &str, value: Option<Bytes>, revision: Version) -> Entry {
    Entry { key: key.to_owned(), value, revision }
}

/// What the consumer makes of the updates, and a check of every step on the way.
#[derive(Default)]
struct Consumer {
    state: State,
    revision: Version,
}

impl Consumer {
    fn take(&mut self, source: &Source, cut: Cut) {
        assert!(cut.revision >= self.revision, "went back from {} to {}", self.revision, cut.revision);
        self.revision = cut.revision;
        for update in cut.updates {
            match update.value {
                Some(value) => self.state.insert(update.key.to_string(), (value, update.revision)),
                None => self.state.remove(&update.key.to_string()),
            };
        }
        assert_eq!(self.state, source.states[cut.revision as usize], "no state that the source had");
    }
}

/// Feeds a stream; stops at the first error, as a session does.
fn feed(
    protocol: &mut Protocol,
    consumer: &mut Consumer,
    source: &Source,
    stream: impl IntoIterator<Item = Batch>,
) -> Result<(), ProtocolError> {
    for batch in stream {
        if let Some(cut) = protocol.on_batch(batch)?.cut {
            consumer.take(source, cut);
        }
    }
    Ok(())
}

fn shop() -> Source {
    let mut source = Source::new();
    source.write("Tier/a", Some("one"));
    source.write("Tier/b", Some("two"));
    source.write("Pod/shop/web", Some("three"));
    source
}

/// A client that holds all of a source.
fn in_sync(source: &Source) -> (Protocol, Consumer) {
    let (mut protocol, mut consumer) = (Protocol::default(), Consumer::default());
    feed(&mut protocol, &mut consumer, source, source.stream(None, source.revision())).unwrap();
    (protocol, consumer)
}

#[test]
fn nothing_is_handed_out_before_the_checkpoint() {
    let source = shop();
    let mut protocol = Protocol::default();
    let mut stream = source.stream(None, 3);
    let checkpoint = stream.pop().unwrap();
    for batch in stream {
        assert!(protocol.on_batch(batch).unwrap().cut.is_none());
    }
    let cut = protocol.on_batch(checkpoint).unwrap().cut.unwrap();
    assert_eq!((cut.revision, cut.snapshot, cut.updates.len()), (3, true, 3));
    assert_eq!(cut.upstream_age, Duration::from_millis(3));
    assert_eq!(protocol.position().unwrap().revision, 3);
}

#[test]
fn a_second_snapshot_brings_only_what_differs_and_sweeps() {
    let mut source = shop();
    let (mut protocol, _) = in_sync(&source);
    source.write("Tier/a", None);
    source.write("Tier/b", Some("2"));
    let cuts: Vec<Cut> =
        source.stream(None, 5).into_iter().filter_map(|batch| protocol.on_batch(batch).unwrap().cut).collect();
    let news: Vec<_> = cuts[0].updates.iter().map(|u| (u.key.to_string(), u.value.is_some(), u.revision)).collect();
    assert_eq!(news, [("Tier/a".to_owned(), false, 5), ("Tier/b".to_owned(), true, 5)]);
}

#[test]
fn a_server_that_stays_behind_is_refused() {
    let source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    feed(&mut protocol, &mut consumer, &source, source.stream(None, 2)).unwrap();
    let mut refused = Ok(());
    for _ in 0..PATIENCE_CHECKPOINTS {
        assert_eq!(refused, Ok(()));
        refused = feed(&mut protocol, &mut consumer, &source, [source.checkpoint(2)]);
    }
    assert_eq!(refused, Err(ProtocolError::Older { held: 3, offered: 2 }));
    assert_eq!(protocol.position().unwrap().revision, 3);

    let position = protocol.position();
    let mut resumed = source.stream(position.as_ref(), 3);
    resumed.pop();
    resumed.push(source.checkpoint(2));
    let refused = feed(&mut protocol, &mut consumer, &source, resumed);
    assert_eq!(refused, Err(ProtocolError::Older { held: 3, offered: 2 }), "a resume has no excuse");
}

#[test]
fn a_shared_snapshot_may_be_older_and_is_taken_with_what_follows() {
    let mut source = shop();
    source.write("Tier/c", Some("c"));
    let (mut protocol, mut consumer) = in_sync(&source);
    source.write("Tier/a", None);
    protocol.doubt = Doubt::Everything;
    feed(&mut protocol, &mut consumer, &source, source.stream(None, 3)).unwrap();
    assert_eq!(consumer.revision, 4, "nothing older is handed out");
    let rest = [source.entries(3, 5), vec![source.checkpoint(5)]].concat();
    feed(&mut protocol, &mut consumer, &source, rest).unwrap();
    assert_eq!(consumer.revision, 5);
}

#[test]
fn another_datastore_replaces_everything_whatever_its_revision() {
    let (mut protocol, _) = in_sync(&shop());
    let mut other = Source { id: 8, ..Source::new() };
    other.write("Tier/z", Some("new"));
    let steps: Vec<Step> = other.stream(None, 1).into_iter().map(|batch| protocol.on_batch(batch).unwrap()).collect();
    assert!(steps[0].begun.as_ref().unwrap().other_datastore);
    assert_eq!(steps.last().unwrap().cut.as_ref().unwrap().updates.len(), 4);
    assert_eq!(protocol.position().unwrap().datastore_id, 8);
}

#[test]
fn a_server_that_is_not_in_sync_sweeps_nothing() {
    let source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    let mut partial = source.stream(None, 3);
    let mut checkpoint = partial.pop().unwrap();
    partial.truncate(2);
    feed(&mut protocol, &mut consumer, &source, partial).unwrap();
    checkpoint.checkpoint.as_mut().unwrap().in_sync = false;
    let step = protocol.on_batch(checkpoint).unwrap();
    assert!(step.server_not_in_sync && step.cut.is_none());
    // The rest comes when the server has it.
    let rest = source.stream(None, 3).split_off(2);
    feed(&mut protocol, &mut consumer, &source, rest).unwrap();
    assert_eq!(consumer.state, source.states[3]);
}

#[test]
fn a_damaged_value_on_the_way_is_refused() {
    let source = shop();
    let (mut protocol, mut consumer) = (Protocol::default(), Consumer::default());
    let mut stream = source.stream(None, 3);
    stream[1].entries[0].value = Some(Bytes::from_static(b"thrEe"));
    assert!(matches!(
        feed(&mut protocol, &mut consumer, &source, stream),
        Err(ProtocolError::DigestMismatch { revision: 3, .. })
    ));
    assert!(consumer.state.is_empty());
}

#[test]
fn whether_a_state_agrees_is_told_before_it_is_taken_in() {
    let mut source = shop();
    let (mut protocol, mut consumer) = in_sync(&source);
    let from = source.revision();
    source.write("Tier/a", Some("new"));
    source.write("Tier/a", Some("newer"));
    source.write("Tier/b", None);
    let mut gathered = source.begin(begin::Mode::Resume);
    gathered.entries = source.entries(from, source.revision()).into_iter().flat_map(|batch| batch.entries).collect();
    gathered.checkpoint = source.checkpoint(source.revision()).checkpoint;
    let mut damaged = gathered.clone();
    damaged.entries.last_mut().unwrap().revision += 1;
    damaged.entries.last_mut().unwrap().value = Some(Bytes::from_static(b"{}"));
    assert!(protocol.agrees(&gathered) && !protocol.agrees(&damaged));
    assert!(!protocol.agrees(&Batch { checkpoint: None, ..gathered.clone() }), "nothing says how it is to be");
    let restored = Source { id: 8, ..Source::new() }.begin(begin::Mode::Resume).begin;
    assert!(!protocol.agrees(&Batch { begin: restored, ..gathered.clone() }), "of another datastore, however equal");
    let mut hasty = gathered.clone();
    hasty.checkpoint.as_mut().unwrap().revision -= 1;
    assert!(!protocol.agrees(&hasty), "an entry is beyond the checkpoint");
    assert_eq!(protocol.position().unwrap().revision, from, "nothing was taken in");
    let cut = protocol.on_batch(gathered).unwrap().cut.unwrap();
    consumer.take(&source, cut);
}

#[test]
fn kinds_of_the_future_count_in_the_digest_and_are_skipped() {
    let mut source = shop();
    source.write("Gizmo/x", Some("{}"));
    let (mut protocol, mut updates, mut skipped) = (Protocol::default(), 0, 0);
    for batch in source.stream(None, 4) {
        if let Some(cut) = protocol.on_batch(batch).unwrap().cut {
            updates += cut.updates.len();
            skipped += cut.skipped;
        }
    }
    assert_eq!((updates, skipped), (3, 1));
}

#[test]
fn what_breaks_the_rules_is_named() {
    let source = shop();
    let fresh = |batch: Batch| Protocol::default().on_batch(batch).unwrap_err();
    assert_eq!(fresh(source.checkpoint(1)), ProtocolError::BeforeBegin);
    assert_eq!(fresh(source.entries(0, 1).remove(0)), ProtocolError::BeforeBegin);
    assert_eq!(fresh(source.begin(begin::Mode::Unspecified)), ProtocolError::UnknownMode(0));
    assert_eq!(fresh(source.begin(begin::Mode::Resume)), ProtocolError::UnaskedResume { datastore_id: 7 });

    let mut short = source.checkpoint(0);
    short.begin = source.begin(begin::Mode::Snapshot).begin;
    short.checkpoint.as_mut().unwrap().digest = Bytes::from_static(b"short");
    assert_eq!(fresh(short), ProtocolError::DigestLength(5));

    let mut beyond = source.checkpoint(1);
    beyond.begin = source.begin(begin::Mode::Snapshot).begin;
    beyond.entries = vec![entry("Tier/a", None, 2)];
    assert_eq!(
        fresh(beyond),
        ProtocolError::EntryBeyondCheckpoint { key: "Tier/a".into(), revision: 2, checkpoint: 1 }
    );
}

/// One thing that happens in the simulation.
#[derive(Clone, Debug)]
enum Happening {
    /// Somebody writes or deletes.
    Write { key: u8, value: Option<u8> },
    /// A stream to a replica that is `behind` by some revisions; cut after some batches, one of them sent twice, a bit
    /// of one of them flipped.
    Stream { behind: u8, cut_after: Option<usize>, repeat: Option<usize>, flip: Option<usize> },
    /// A bit flips in what the client holds.
    Damage { key: u8 },
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        1 => (0_u8..6).prop_map(|key| Happening::Damage { key }),
        3 => (0_u8..6, prop::option::weighted(0.7, any::<u8>())).prop_map(|(key, value)| Happening::Write { key, value }),
        2 => (
            0_u8..3,
            prop::option::weighted(0.4, 0_usize..8),
            prop::option::weighted(0.3, 0_usize..8),
            prop::option::weighted(0.2, 0_usize..8),
        ).prop_map(|(behind, cut_after, repeat, flip)| Happening::Stream { behind, cut_after, repeat, flip }),
    ]
}

fn with_faults(
    mut stream: Vec<Batch>,
    cut_after: Option<usize>,
    repeat: Option<usize>,
    flip: Option<usize>,
) -> Vec<Batch> {
    if let Some(at) = flip.filter(|at| *at < stream.len())
        && let Some(entry) = stream[at].entries.first_mut()
    {
        entry.value = entry.value.as_ref().map(|value| [value, &b"!"[..]].concat().into());
    }
    if let Some(at) = repeat.filter(|at| *at < stream.len()) {
        let again = stream[at].clone();
        stream.insert(at, again);
    }
    stream.truncate(cut_after.unwrap_or(usize::MAX));
    stream
}

proptest! {
    #[test]
    fn the_consumer_is_always_at_a_past_state_and_ends_equal(happenings in prop::collection::vec(happening(), 1..60)) {
        let (mut source, mut protocol, mut consumer) = (Source::new(), Protocol::default(), Consumer::default());
        for happening in happenings {
            match happening {
                Happening::Write { key, value } => {
                    source.write(&format!("Tier/{key}"), value.map(|value| value.to_string()).as_deref());
                }
                Happening::Damage { key } => protocol.ledger.damage_if_held(&format!("Tier/{key}")),
                Happening::Stream { behind, cut_after, repeat, flip } => {
                    let to = source.revision().saturating_sub(u64::from(behind));
                    // A replica that is behind knows nothing of a later position, and sends a snapshot.
                    let position = protocol.position().filter(|position| position.revision <= to);
                    let stream = with_faults(source.answer(position, to), cut_after, repeat, flip);
                    // Errors are the client's defence; `take` checks what got through.
                    let _ = feed(&mut protocol, &mut consumer, &source, stream);
                    protocol.closed();
                }
            }
        }
        // Damage is found, compared, and where that is not enough everything comes anew.
        for _ in 0..3 {
            let stream = source.answer(protocol.position(), source.revision());
            let _ = feed(&mut protocol, &mut consumer, &source, stream);
        }
        prop_assert_eq!(&consumer.state, &source.states[source.revision() as usize]);
    }

    #[test]
    fn no_message_can_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(batch) = <Batch as prost::Message>::decode(bytes.as_slice()) {
            let _ = Protocol::default().on_batch(batch);
        }
    }
}
