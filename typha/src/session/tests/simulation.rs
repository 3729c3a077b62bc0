//! Clients of different speeds, cuts, relists, several replicas: each client's state equals some past state of the
//! datastore at every checkpoint, never goes back, and ends equal. Every run replays from its seed.

use proptest::{collection::vec, prelude::*};

use super::*;

const REPLICAS: usize = 3;
const CLIENTS: usize = 4;
/// So small that every entry is a message of its own, and that messages are made again all the time.
const MESSAGE_BYTES: usize = 1;
const CACHE_BYTES: usize = 3000;

#[derive(Clone, Debug)]
enum Event {
    /// The datastore writes (or deletes) keys in one transaction.
    Write(Vec<(u64, bool)>),
    /// A replica hears of everything up to now.
    Follow(usize),
    /// A replica missed the changes and lists the datastore.
    Relist(usize),
    /// A replica restarts with nothing.
    Restart(usize),
    /// A client takes up to so many messages.
    Read(usize, usize),
    /// A client loses its connection and goes to a replica.
    Cut(usize, usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => vec((0..30u64, prop::bool::weighted(0.7)), 1..5).prop_map(Event::Write),
        5 => (0..REPLICAS).prop_map(Event::Follow),
        1 => (0..REPLICAS).prop_map(Event::Relist),
        1 => (0..REPLICAS).prop_map(Event::Restart),
        8 => (0..CLIENTS, 1..12usize).prop_map(|(client, messages)| Event::Read(client, messages)),
        2 => (0..CLIENTS, 0..REPLICAS).prop_map(|(client, replica)| Event::Cut(client, replica)),
    ]
}

/// A key's value, always the same: long for every fifth.
fn value(number: u64) -> String {
    "v".repeat(if number.is_multiple_of(5) { 600 } else { 1 })
}

struct Replica {
    store: Store,
    batches: Batches,
}

struct Connected {
    client: Client,
    session: Session,
    replica: usize,
}

struct World {
    /// The datastore's transactions; number n has revision n + 1.
    log: Vec<Vec<Update>>,
    /// Its state's digest after each transaction.
    digests: Vec<Digest>,
    truth: Store,
    replicas: Vec<Replica>,
    clients: Vec<Connected>,
}

impl World {
    fn new() -> Self {
        let mut replicas = Vec::new();
        replicas.resize_with(REPLICAS, || Replica {
            store: Store::new(DATASTORE, 0),
            batches: Batches::bounded(MESSAGE_BYTES, CACHE_BYTES),
        });
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let encoding = if number % 2 == 0 { Encoding::Zstd } else { Encoding::Identity };
            let client = Client { encoding, names_ranges: number < CLIENTS / 2, ..Client::default() };
            clients.push(Connected { session: connect(&client), client, replica: 0 });
        }
        let truth = Store::new(DATASTORE, 0);
        Self { log: Vec::new(), digests: vec![Digest::default()], truth, replicas, clients }
    }

    fn run(&mut self, event: &Event) {
        match event {
            Event::Write(writes) => self.write(writes),
            Event::Follow(replica) => self.follow(*replica),
            Event::Relist(replica) => self.relist(*replica),
            Event::Restart(replica) => {
                self.replicas[*replica].store = Store::new(0, self.replicas[*replica].store.epoch() + 1);
                self.relist(*replica);
                for client in 0..CLIENTS {
                    if self.clients[client].replica == *replica {
                        self.connect(client, *replica);
                    }
                }
            }
            Event::Read(client, messages) => self.read(*client, *messages),
            Event::Cut(client, replica) => self.connect(*client, *replica),
        }
    }

    fn write(&mut self, writes: &[(u64, bool)]) {
        let revision = self.log.len() as u64 + 1;
        let writes: BTreeMap<u64, bool> = writes.iter().copied().collect();
        let updates: Vec<_> = writes
            .iter()
            .map(
                |(number, exists)| {
                    if *exists { put(*number, revision, &value(*number)) } else { delete(*number, revision) }
                },
            )
            .collect();
        self.truth.apply(revision, &updates);
        self.digests.push(self.truth.view().digest());
        self.log.push(updates);
    }

    fn follow(&mut self, replica: usize) {
        let store = &mut self.replicas[replica].store;
        let known = usize::try_from(store.revision()).expect("small");
        for (missed, updates) in self.log.iter().enumerate().skip(known) {
            store.apply(missed as u64 + 1, updates);
        }
    }

    fn relist(&mut self, replica: usize) {
        let mut relist = Relist::start(&self.replicas[replica].store, DATASTORE);
        let view = self.truth.view();
        for number in 0..30 {
            let entry = view.get(&format!("GlobalNetworkSet/set-{number}")).filter(|entry| !entry.is_tombstone());
            if let Some(entry) = entry {
                relist.items(&[put(number, entry.revision(), &value(number))]);
            }
        }
        self.replicas[replica].store = relist.finish(self.log.len() as u64).expect("never older");
    }

    fn connect(&mut self, client: usize, replica: usize) {
        let connected = &mut self.clients[client];
        connected.replica = replica;
        connected.session = connect(&connected.client);
    }

    fn read(&mut self, client: usize, messages: usize) {
        for _ in 0..messages {
            let connected = &mut self.clients[client];
            let replica = &self.replicas[connected.replica];
            let latest = published(&replica.store, 0);
            match connected.session.next(&latest, None, &replica.batches, Instant::now()) {
                Step::Begin(_, bytes) | Step::Send(bytes) => self.take(client, &bytes),
                Step::Wait | Step::Queue => return,
                Step::End(ending) => panic!("without beats nobody loses patience: {ending}"),
            }
        }
    }

    /// Hands a message to a client, which does what an agent does where digests differ: it drops its position.
    fn take(&mut self, client: usize, bytes: &Bytes) {
        let connected = &mut self.clients[client];
        match connected.client.take(bytes) {
            Ok(None) => {}
            Ok(Some(checkpoint)) => {
                let truth = self.digests[usize::try_from(checkpoint.revision).expect("small")];
                assert_eq!(connected.client.digest(), truth, "the state at {}", checkpoint.revision);
            }
            Err(Distrust) => {
                let (state, replica) = (&mut connected.client, connected.replica);
                assert!(state.position.is_some(), "a snapshot is always right");
                if state.names_ranges && !state.compare {
                    state.compare = true;
                } else {
                    state.position = None;
                }
                self.connect(client, replica);
            }
        }
    }

    fn end(&mut self) {
        for replica in 0..REPLICAS {
            self.follow(replica);
        }
        for client in 0..CLIENTS {
            self.read(client, 10_000);
            assert_eq!(self.clients[client].client.digest(), self.truth.view().digest(), "client {client}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn every_client_sees_only_what_was_and_ends_at_what_is(events in vec(event(), 1..120)) {
        let mut world = World::new();
        for event in &events {
            world.run(event);
        }
        world.end();
    }
}
