//! A datastore in memory, replicas of typha, clients, and everything that happens to them, from a seed.
//!
//! All that decides is production code: typha's feed, store, batches, admission and sessions, and the client's protocol,
//! ledger and decoder. What would be sockets, clocks and sources is drawn from the seed: delays, cuts, restarts, jumps of
//! the clock, compaction, another datastore, bits that flip. Where a client goes is drawn too, so that whatever a
//! choice of replicas may decide is among it.
//!
//! At every cut a client's state equals the one that its datastore had at that revision, it never goes back, and the age
//! that it is told is the replica's; at the end, when all is healed, every client and every replica has what the
//! datastore has.

mod agent;
mod datastore;
mod memory;
mod replica;
mod seeds;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::{
    agent::Agent,
    datastore::{Datastore, KEYS, key},
    replica::Replica,
};

const REPLICAS: usize = 3;
const CLIENTS: usize = 4;

/// What happens in one run.
const EVENTS_MAX: usize = 150;

/// A healed world comes to rest within so many rounds of 5 s, unless there is damage that nobody has met yet.
const ROUNDS: usize = 30;

/// A newcomer is served by any one replica within so many rounds, each of which is time for an audit.
const ATTEMPTS: usize = 6;

/// Such damage is found within this: each minute has an audit.
const AUDITED: Duration = Duration::from_mins(1);

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    /// The datastore writes (or deletes) keys in one transaction.
    Write(BTreeMap<u64, Option<Bytes>>),
    /// Somebody else writes to the datastore.
    WriteForeign,
    Compact,
    /// Another datastore takes its place, with the keys whose numbers this divides.
    Replace(u64),
    /// A replica's source reaches the datastore, or does not.
    Source(usize),
    SetConnected(usize, bool),
    /// A replica's source lists although it need not.
    List(usize),
    /// A replica takes in so many events.
    Hear(usize, usize),
    Publish(usize),
    Beat(usize),
    Restart(usize),
    /// Time passes.
    Pass(Duration),
    /// A client's streams are sent as much as they take, and it reads so many messages of the first and the second.
    Read(usize, usize, usize),
    /// A client loses its connection and goes to a replica.
    Cut(usize, usize),
    /// A client looks at another replica before it leaves its own.
    Try(usize, usize),
    RestartClient(usize),
    /// A bit flips in an entry of a replica.
    DamageReplica(usize),
    /// A bit flips in a message that is on its way to a client, and maybe to others.
    DamageMessage(usize),
    /// What a client knows of a key is damaged, with its digest or without.
    DamageClient(usize, u64, bool),
}

/// A defect that is built in to see that it would be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    /// A source loses deletions.
    DeletionsAreLost,
    /// A source tells a transaction in two pieces.
    TransactionsAreSplit,
    /// A source does not notice that another datastore took the place of its own.
    DatastoreIsNotChecked,
    /// A replica never looks at its own state.
    NobodyAudits,
    /// A client's consumer drops what it is given.
    ConsumerForgets,
}

/// How often runs came to what they are there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reached {
    /// States handed on and checked.
    cuts: u64,
    snapshots: u64,
    resumes: u64,
    repairs: u64,
    /// Moves to another replica without a gap.
    moves: u64,
    /// States that a client refused.
    mismatches: u64,
    /// Damaged entries that replicas read again.
    rereads: u64,
}

struct World {
    random: fastrand::Rng,
    now: Instant,
    datastore: Datastore,
    replicas: Vec<Replica>,
    clients: Vec<Agent>,
    defect: Option<Defect>,
    /// Whether damage is among what happens.
    has_damage: bool,
}

impl World {
    fn new(seed: u64, defect: Option<Defect>) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let has_damage = random.bool();
        Self {
            random,
            now: Instant::now(),
            datastore: Datastore::new(),
            replicas: (0..REPLICAS).map(Replica::new).collect(),
            clients: (0..CLIENTS).map(Agent::new).collect(),
            defect,
            has_damage,
        }
    }

    /// Draws what happens next.
    fn draw(&mut self) -> Event {
        let has_damage = self.has_damage;
        let random = &mut self.random;
        let (replica, client) = (random.usize(..REPLICAS), random.usize(..CLIENTS));
        match random.u32(..if has_damage { 112 } else { 106 }) {
            0..16 => Event::Write((0..random.usize(1..5)).map(|_| write(random)).collect()),
            16..18 => Event::WriteForeign,
            18 => Event::Compact,
            19 if random.u8(..4) == 0 => Event::Replace(random.u64(1..4)),
            19..34 => Event::Source(replica),
            34..38 => Event::SetConnected(replica, random.u8(..3) > 0),
            38 => Event::List(replica),
            39..54 => Event::Hear(replica, random.usize(1..6)),
            54..62 => Event::Publish(replica),
            62..66 => Event::Beat(replica),
            66 => Event::Restart(replica),
            67..72 => Event::Pass(Duration::from_millis(random.u64(1..6000))),
            72 => Event::Pass(Duration::from_mins(random.u64(1..10))),
            73..96 => Event::Read(client, random.usize(1..12), random.usize(0..12)),
            96..101 => Event::Cut(client, replica),
            101..105 => Event::Try(client, replica),
            105 => Event::RestartClient(client),
            106..109 => Event::DamageReplica(replica),
            109 => Event::DamageMessage(client),
            _ => Event::DamageClient(client, random.u64(..KEYS), random.bool()),
        }
    }

    fn run(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Write(writes) => self.write(writes),
            Event::WriteForeign => self.datastore.write_foreign(),
            Event::Compact => self.datastore.compact(),
            Event::Replace(divisor) => self.replace(*divisor),
            Event::Source(replica) => self.replicas[*replica].source(&self.datastore),
            Event::SetConnected(replica, is_connected) => self.replicas[*replica].is_connected = *is_connected,
            Event::List(replica) if self.replicas[*replica].is_connected => {
                self.replicas[*replica].list(&self.datastore);
            }
            Event::List(_) => {}
            Event::Hear(replica, events) => self.replicas[*replica].hear(*events, now),
            Event::Publish(replica) => self.replicas[*replica].publish(),
            Event::Beat(replica) => self.replicas[*replica].beat(),
            Event::Restart(replica) => self.replicas[*replica].restart(*replica),
            Event::Pass(time) => self.pass(*time),
            Event::Read(client, messages, of_candidate) => self.read(*client, *messages, *of_candidate),
            Event::Cut(client, replica) => self.clients[*client].connect(*replica, &mut self.replicas[*replica], now),
            Event::Try(client, replica) => {
                self.clients[*client].try_another(*replica, &mut self.replicas[*replica], now);
            }
            Event::RestartClient(client) => self.clients[*client].restart(),
            Event::DamageReplica(replica) => self.replicas[*replica].damage(&mut self.random),
            Event::DamageMessage(client) => {
                if let Some(stream) = &self.clients[*client].stream {
                    stream.damage(&mut self.random);
                }
            }
            Event::DamageClient(client, number, with_digest) => {
                self.clients[*client].protocol.damage(&key(*number).to_string(), *with_digest);
            }
        }
    }

    fn write(&mut self, writes: &BTreeMap<u64, Option<Bytes>>) {
        self.datastore.write(writes);
        self.datastore.spoil_last(self.defect);
    }

    fn replace(&mut self, divisor: u64) {
        self.datastore.replace(|number| number.is_multiple_of(divisor));
        if self.defect == Some(Defect::DatastoreIsNotChecked) {
            self.datastore.id -= 1;
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for replica in &mut self.replicas {
            if self.defect != Some(Defect::NobodyAudits) {
                replica.work(&self.datastore, self.now);
            }
        }
    }

    fn read(&mut self, client: usize, messages: usize, of_candidate: usize) {
        let agent = &mut self.clients[client];
        let candidate = agent.candidate.as_mut().map(|candidate| &mut candidate.stream);
        for stream in agent.stream.iter_mut().chain(candidate) {
            stream.pump(&self.replicas[stream.replica], self.now);
        }
        agent.read(messages, &self.datastore, self.defect);
        agent.read_candidate(of_candidate, &self.datastore, self.defect);
    }

    /// Nothing more goes wrong: everybody gets what there is, and all that was damaged is mended.
    fn heal(&mut self) {
        for _ in 0..if self.has_damage { 3 } else { 1 } {
            let mut rounds = 0..ROUNDS;
            while let Some(round) = rounds.next()
                && !self.is_at_rest()
            {
                self.settle(round);
            }
            self.pass(AUDITED);
            self.settle(0);
        }
        for replica in &self.replicas {
            assert!(replica.is_whole(&self.datastore), "{} is not whole", replica.name);
        }
        for (client, agent) in self.clients.iter().enumerate() {
            assert_eq!(agent.state, self.datastore.state, "client {client}");
        }
        for replica in 0..REPLICAS {
            self.welcome(replica);
        }
    }

    /// A newcomer gets everything from a replica, if need be at its second or third attempt: a message that was damaged
    /// after it was made is kept for others too, and it may be the first to meet it.
    fn welcome(&mut self, replica: usize) {
        let reached = self.clients[0].reached;
        self.clients[0] = Agent::new(replica);
        if self.has_damage {
            self.clients[0].connect(replica, &mut self.replicas[replica], self.now);
            self.read(0, 0, 0);
            self.run(&Event::DamageMessage(0));
        }
        for _ in 0..ATTEMPTS {
            if self.clients[0].stream.is_none() {
                self.clients[0].connect(replica, &mut self.replicas[replica], self.now);
            }
            self.settle(0);
        }
        assert_eq!(self.clients[0].state, self.datastore.state, "a newcomer at replica {replica}");
        self.clients[0].reached.add(reached);
    }
}

impl World {
    /// Everybody gets on as far as can be without time.
    fn settle(&mut self, round: usize) {
        for replica in &mut self.replicas {
            replica.is_connected = true;
            replica.source(&self.datastore);
            replica.hear_all(self.now);
            replica.beat();
        }
        for client in 0..CLIENTS {
            if self.clients[client].stream.is_none() {
                let replica = (client + round) % REPLICAS;
                self.clients[client].connect(replica, &mut self.replicas[replica], self.now);
            }
            for _ in 0..10 {
                self.read(client, 10, 10);
            }
        }
        self.pass(Duration::from_secs(5));
    }

    fn is_at_rest(&self) -> bool {
        self.clients.iter().all(|agent| agent.state == self.datastore.state)
            && self.replicas.iter().all(|replica| replica.is_whole(&self.datastore))
    }

    fn reached(&self) -> Reached {
        let mut reached = Reached::default();
        self.clients.iter().for_each(|client| reached.add(client.reached));
        self.replicas.iter().for_each(|replica| reached.rereads += replica.rereads());
        reached
    }
}

impl Reached {
    fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.snapshots += other.snapshots;
        self.resumes += other.resumes;
        self.repairs += other.repairs;
        self.moves += other.moves;
        self.mismatches += other.mismatches;
        self.rereads += other.rereads;
    }

    fn is_everything(self) -> bool {
        let Self { cuts, snapshots, resumes, repairs, moves, mismatches, rereads } = self;
        [cuts, snapshots, resumes, repairs, moves, mismatches, rereads].iter().all(|times| *times > 0)
    }
}

fn write(random: &mut fastrand::Rng) -> (u64, Option<Bytes>) {
    let number = random.u64(..KEYS);
    // Long for every fifth, so that messages of both forms are compressed and are not.
    let value = format!("{:x}", random.u16(..)).repeat(if number.is_multiple_of(5) { 200 } else { 1 });
    (number, (random.u8(..10) < 7).then(|| value.into()))
}

/// A whole run.
fn run(seed: u64, defect: Option<Defect>, tells: bool) -> Reached {
    let mut world = World::new(seed, defect);
    for number in 0..world.random.usize(1..EVENTS_MAX) {
        let event = world.draw();
        if tells {
            println!("{number}: {event:?}");
        }
        world.run(&event);
    }
    world.heal();
    world.reached()
}
