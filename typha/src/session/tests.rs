//! A session leads its client to the present from wherever it stands, and never back.

mod ahead;
mod queue;

use std::collections::BTreeMap;

use bytes::{Buf as _, Bytes};
use model::{
    Key, Kind, Update,
    digest::{Digest, EntryHash, Ranges, range_of},
};
use prost::Message as _;

use super::*;
use crate::{
    admission::{AdmissionLimits, Demand, Need},
    feed::Integrity,
    store::{Relist, Store},
};

const DATASTORE: u64 = 7;

fn put(number: u64, revision: Version, value: &str) -> Update {
    let key = Key::global(Kind::GlobalNetworkSet, format!("set-{number}"));
    Update { key, value: Some(Bytes::copy_from_slice(value.as_bytes())), revision }
}

fn delete(number: u64, revision: Version) -> Update {
    Update { value: None, ..put(number, revision, "") }
}

/// A store with keys 1 to `keys`, each written at the revision of its number.
fn store(keys: u64) -> Store {
    let mut store = Store::new(DATASTORE, 0);
    for revision in 1..=keys {
        store.apply(revision, &[put(revision, revision, "value")]);
    }
    store
}

fn published(store: &Store, beat: u64) -> Published {
    Published {
        view: Arc::new(store.view()),
        in_sync: true,
        proof_of_life: Some(Instant::now()),
        complaint: None,
        integrity: Integrity::default(),
        lists: 1,
        beat,
    }
}

fn out_of_sync(beat: u64) -> Published {
    let complaint = Some("etcd at http://a:2379: connection refused".into());
    Published { in_sync: false, complaint, proof_of_life: None, ..published(&Store::new(0, 0), beat) }
}

/// A client that checks everything that a client can check, and like an agent acts on nothing before a checkpoint.
#[derive(Clone, Default)]
struct Client {
    encoding: Encoding,
    /// Whether it subscribes with the digests of its ranges.
    names_ranges: bool,
    /// Whether it found a digest wrong.
    compare: bool,
    entries: BTreeMap<String, (Bytes, Version)>,
    position: Option<Position>,
    begun: Option<wire::Begin>,
    /// The ranges of which what comes until the checkpoint is everything there is.
    swept: RangeSet,
    /// What came since the last checkpoint.
    pending: Vec<wire::Entry>,
    /// Entries ever received.
    received: usize,
    go_away: Option<wire::GoAway>,
}

/// The client's digest and the server's differ.
#[derive(Debug)]
struct Distrust;

impl Client {
    /// Takes one message; the checkpoint, if it has one.
    fn take(&mut self, frame: &Bytes) -> Result<Option<wire::Checkpoint>, Distrust> {
        assert_eq!((&frame[1..5]).get_u32() as usize, frame.len() - 5);
        let message = match frame[0] {
            0 => frame.slice(5..),
            _ => zstd::bulk::decompress(&frame[5..], 1 << 20).expect("a zstd frame").into(),
        };
        let batch = wire::Batch::decode(message).expect("a batch");
        if let Some(begin) = batch.begin {
            self.swept = match begin.mode() {
                wire::begin::Mode::Snapshot => (0..=u8::MAX).collect(),
                wire::begin::Mode::Repair => RangeSet::from_bytes(&begin.ranges).expect("ranges"),
                _ => RangeSet::default(),
            };
            self.pending.clear();
            self.begun = Some(begin);
        }
        self.go_away = batch.go_away.or(self.go_away.take());
        self.received += batch.entries.len();
        self.pending.extend(batch.entries);
        batch.checkpoint.map(|checkpoint| self.conclude(checkpoint)).transpose()
    }

    fn conclude(&mut self, checkpoint: wire::Checkpoint) -> Result<wire::Checkpoint, Distrust> {
        let mut entries = self.entries.clone();
        entries.retain(|key, _| !self.swept.contains(range_of(key)));
        for entry in self.pending.drain(..) {
            match entry.value {
                Some(value) => entries.insert(entry.key, (value, entry.revision)),
                None => entries.remove(&entry.key),
            };
        }
        let digest = digest_of(&entries);
        if *checkpoint.digest != digest.to_bytes() {
            return Err(Distrust);
        }
        let begun = self.begun.as_ref().expect("a stream begins with Begin");
        let before = self.position.filter(|position| position.datastore_id == begun.datastore_id);
        assert!(before.is_none_or(|before| before.revision <= checkpoint.revision), "time went back");
        let (datastore_id, revision) = (begun.datastore_id, checkpoint.revision);
        self.position = Some(Position { datastore_id, revision, digest });
        (self.entries, self.swept, self.compare) = (entries, RangeSet::default(), false);
        Ok(checkpoint)
    }

    fn claim(&self) -> Claim {
        let mut ranges = Ranges::default();
        for (key, (value, revision)) in &self.entries {
            ranges.add(range_of(key), EntryHash::of(key, *revision, value));
        }
        Claim { ranges, compare: self.compare }
    }

    fn digest(&self) -> Digest {
        digest_of(&self.entries)
    }

    fn mode(&self) -> wire::begin::Mode {
        self.begun.as_ref().expect("it has begun").mode()
    }
}

fn digest_of(entries: &BTreeMap<String, (Bytes, Version)>) -> Digest {
    let mut digest = Digest::default();
    for (key, (value, revision)) in entries {
        digest.add(EntryHash::of(key, *revision, value));
    }
    digest
}

/// Hands the client everything there is at present.
fn run(session: &mut Session, client: &mut Client, latest: &Published, batches: &Batches) -> Step {
    loop {
        match session.next(latest, None, batches, Instant::now()) {
            Step::Begin(_, bytes) | Step::Send(bytes) => drop(client.take(&bytes).expect("the digests agree")),
            step => return step,
        }
    }
}

fn connect(client: &Client) -> Session {
    connect_to(client, &Arc::new(Admission::new(AdmissionLimits::default())))
}

fn connect_to(client: &Client, admission: &Arc<Admission>) -> Session {
    let claim = client.position.filter(|_| client.names_ranges).map(|_| client.claim());
    let subscription = Subscription { position: client.position, claim, ..Subscription::default() };
    Session::new("replica-1".into(), client.encoding, subscription, Arc::clone(admission))
}

/// A client that is up to date with a store, and may have lost its connection since.
fn client_of(store: &Store) -> Client {
    let mut client = Client::default();
    run(&mut connect(&client), &mut client, &published(store, 0), &Batches::default());
    client.received = 0;
    client
}

#[test]
fn a_new_client_gets_a_snapshot_and_then_only_beats() {
    let (store, batches, mut client) = (store(10), Batches::default(), Client::default());
    let mut session = connect(&client);
    assert_eq!(run(&mut session, &mut client, &published(&store, 3), &batches), Step::Wait);
    assert_eq!((client.mode(), client.received, session.position()), (wire::begin::Mode::Snapshot, 10, 10));
    let step = session.next(&published(&store, 4), None, &batches, Instant::now());
    let Step::Send(bytes) = step else { panic!("a beat carries a checkpoint: {step:?}") };
    let checkpoint = client.take(&bytes).expect("the digests agree");
    assert_eq!(checkpoint.map(|checkpoint| checkpoint.revision), Some(10));
    assert_eq!(session.next(&published(&store, 4), None, &batches, Instant::now()), Step::Wait);
}

#[test]
fn an_empty_datastore_is_a_snapshot_too() {
    let (batches, mut client) = (Batches::default(), Client::default());
    run(&mut connect(&client), &mut client, &published(&Store::new(DATASTORE, 0), 0), &batches);
    assert_eq!(client.position.map(|position| position.revision), Some(0));
}

#[test]
fn a_client_that_comes_back_gets_what_changed() {
    let mut store = store(10);
    let mut client = client_of(&store);
    store.apply(11, &[put(3, 11, "new"), delete(4, 11), put(30, 11, "new")]);
    run(&mut connect(&client), &mut client, &published(&store, 0), &Batches::default());
    assert_eq!((client.mode(), client.received), (wire::begin::Mode::Resume, 3));
}

#[test]
fn a_client_that_missed_nothing_gets_nothing_but_an_immediate_checkpoint() {
    let store = store(10);
    let mut client = client_of(&store);
    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 0), &Batches::default());
    assert_eq!((client.mode(), client.received, session.position()), (wire::begin::Mode::Resume, 0, 10));
}

#[test]
fn positions_that_cannot_be_served_get_a_snapshot() {
    let store = store(10);
    let client = client_of(&store);
    let position = client.position.expect("it has one");
    let damaged = Digest::default();
    for (what, position) in [
        ("revision 0", Position { revision: 0, ..position }),
        ("another datastore", Position { datastore_id: DATASTORE + 1, ..position }),
        ("a digest that differs", Position { digest: damaged, ..position }),
        ("a digest that differs in the past", Position { digest: damaged, revision: 5, ..position }),
    ] {
        let mut client = Client { position: Some(position), ..Client::default() };
        let mut session = connect(&client);
        client.position = None;
        run(&mut session, &mut client, &published(&store, 0), &Batches::default());
        assert_eq!((client.mode(), client.received), (wire::begin::Mode::Snapshot, 10), "{what}");
    }
}

#[test]
fn a_position_that_history_does_not_reach_is_repaired_by_ranges() {
    let mut store = store(1000);
    let mut client = Client { names_ranges: true, ..client_of(&store) };
    let passing = 2000..42_000;
    store.apply(1001, &passing.clone().map(|number| put(number, 1001, "v")).collect::<Vec<_>>());
    store.apply(1002, &passing.map(|number| delete(number, 1002)).collect::<Vec<_>>());
    assert!(store.view().floor() > 1000, "so many deletions are not remembered");
    store.apply(1003, &[put(1, 1003, "new"), delete(2, 1003)]);
    run(&mut connect(&client), &mut client, &published(&store, 0), &Batches::default());
    assert_eq!(client.mode(), wire::begin::Mode::Repair);
    assert_eq!(client.digest(), store.view().digest());
    assert!(client.received < 30, "{} of 1000", client.received);
}

#[test]
fn a_damaged_client_gets_the_damaged_range_and_what_changes_meanwhile() {
    let (mut store, batches) = (store(1000), Batches::bounded(1, 1 << 20));
    let mut client = client_of(&store);
    client.names_ranges = true;
    client.entries.get_mut("GlobalNetworkSet/set-500").expect("it is held").0 = Bytes::from_static(b"valuE");
    client.position = client.position.map(|position| Position { digest: digest_of(&client.entries), ..position });
    let mut session = connect(&client);
    for _ in 0..2 {
        let step = session.next(&published(&store, 0), None, &batches, Instant::now());
        let (Step::Begin(_, bytes) | Step::Send(bytes)) = step else { panic!("{step:?}") };
        client.take(&bytes).expect("no checkpoint yet, or a good one");
    }
    assert_eq!((client.mode(), session.position()), (wire::begin::Mode::Repair, 0));
    store.apply(1001, &[put(1, 1001, "new"), delete(2, 1001), delete(500, 1001)]);
    run(&mut session, &mut client, &published(&store, 0), &batches);
    assert_eq!((client.digest(), session.position()), (store.view().digest(), 1001));
    assert!(client.received < 30, "{} of 1000", client.received);
}

#[test]
fn a_replica_that_has_just_started_serves_positions_from_before_it() {
    let mut truth = store(10);
    let mut client = client_of(&truth);
    truth.apply(11, &[put(3, 11, "new")]);
    let mut relist = Relist::start(&Store::new(0, 0), DATASTORE);
    let view = truth.view();
    for number in 1..=10 {
        let revision = view.get(&format!("GlobalNetworkSet/set-{number}")).expect("it exists").revision();
        relist.items(&[put(number, revision, if revision == 11 { "new" } else { "value" })]);
    }
    let fresh = relist.finish(12).expect("a first list");
    run(&mut connect(&client), &mut client, &published(&fresh, 0), &Batches::default());
    assert_eq!((client.mode(), client.received), (wire::begin::Mode::Resume, 1));
}

#[test]
fn before_the_first_list_clients_wait_and_are_then_sent_elsewhere() {
    let (batches, mut client) = (Batches::default(), Client::default());
    let mut session = connect(&client);
    assert_eq!(run(&mut session, &mut client, &out_of_sync(0), &batches), Step::Wait);
    assert_eq!(run(&mut session, &mut client, &out_of_sync(1), &batches), Step::Wait);
    assert!(client.begun.is_none(), "nothing is said before it is known");
    let mut patient = connect(&client);
    run(&mut patient, &mut client, &out_of_sync(1), &batches);
    let Step::End(ending) = run(&mut session, &mut client, &out_of_sync(2), &batches) else { panic!("it waits on") };
    assert!(ending.to_string().contains("connection refused"), "{ending}");
    run(&mut patient, &mut client, &published(&store(3), 2), &batches);
    assert_eq!(client.received, 3);
}

#[test]
fn a_slow_client_gets_each_key_once_in_its_latest_state() {
    let (mut store, batches, mut client) = (store(10), Batches::default(), Client::default());
    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 0), &batches);
    client.received = 0;
    for revision in 11..=1010 {
        store.apply(revision, &[put(1 + revision % 2, revision, "newer and newer")]);
    }
    run(&mut session, &mut client, &published(&store, 1), &batches);
    assert_eq!(client.received, 2);
    assert_eq!(client.digest(), store.view().digest());
}

#[test]
fn another_datastore_starts_the_stream_over() {
    let (store, batches, mut client) = (store(10), Batches::default(), Client::default());
    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 0), &batches);
    let mut relist = Relist::start(&store, DATASTORE + 1);
    relist.items(&[put(99, 2, "other")]);
    let other = relist.finish(3).expect("another history");
    run(&mut session, &mut client, &published(&other, 1), &batches);
    assert_eq!((client.mode(), client.entries.len()), (wire::begin::Mode::Snapshot, 1));
}

#[test]
fn a_draining_server_asks_once_and_goes_on_serving() {
    let (mut store, batches, mut client) = (store(10), Batches::default(), Client::default());
    let drain = Drain { reason: "update".to_owned(), within: Duration::from_secs(10) };
    let mut session = connect(&client);
    run(&mut session, &mut client, &published(&store, 0), &batches);
    let step = session.next(&published(&store, 0), Some(&drain), &batches, Instant::now());
    let Step::Send(bytes) = step else { panic!("it says nothing: {step:?}") };
    client.take(&bytes).expect("the digests agree");
    assert_eq!(client.go_away.as_ref().map(|go_away| go_away.within_ms), Some(10_000));
    store.apply(11, &[put(1, 11, "new")]);
    let step = session.next(&published(&store, 0), Some(&drain), &batches, Instant::now());
    assert!(matches!(step, Step::Send(_)), "{step:?}");

    let mut newcomer = connect(&Client::default());
    let mut next = || newcomer.next(&published(&store, 0), Some(&drain), &batches, Instant::now());
    assert!(matches!(next(), Step::Send(_)), "it is told why");
    let step = next();
    assert!(matches!(step, Step::End(Ending::Draining { .. })), "{step:?}");
}

#[test]
fn who_wants_nothing_but_to_resume_gets_no_snapshot() {
    let (store, batches, mut client) = (store(10), Batches::default(), Client::default());
    let subscription = Subscription { resume_only: true, ..Subscription::default() };
    let admission = Arc::new(Admission::new(AdmissionLimits::default()));
    let mut session = Session::new("replica-1".into(), client.encoding, subscription, admission);
    let step = run(&mut session, &mut client, &published(&store, 0), &batches);
    assert_eq!(step, Step::End(Ending::NoResume { server: "replica-1".into(), position: 0 }));
}
