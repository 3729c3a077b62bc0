//! A datastore, replicas, clients, and what happens to them, event by event.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Defect,
    agent::{Agent, Scene},
    datastore::{Datastore, KEYS},
    event::Event,
    pilot::{Pilot, Wish},
    point::Point,
    replica::Replica,
    witness::Witness,
};

pub(super) const REPLICAS: usize = 3;

/// Clients of most seeds, and of one in so many.
const CLIENTS: usize = 4;
const FLEET: usize = 50;
const FLEET_EVERY: u64 = 20;

/// From here on it is minutes that pass.
const LONG: Duration = Duration::from_mins(1);

pub(super) struct World {
    pub(super) random: fastrand::Rng,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) datastore: Datastore,
    pub(super) replicas: Vec<Replica>,
    pub(super) clients: Vec<Agent>,
    pub(super) defect: Option<Defect>,
    /// Whether damage is among what happens.
    pub(super) has_damage: bool,
    /// Whether clients choose their replicas; otherwise the seed does.
    has_pilots: bool,
    pub(super) witness: Witness,
}

impl World {
    pub(super) fn new(seed: u64, defect: Option<Defect>) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let (has_damage, has_pilots) = (random.bool(), random.bool());
        let clients = if seed % FLEET_EVERY == FLEET_EVERY - 1 { FLEET } else { CLIENTS };
        let start = Instant::now();
        let mut world = Self {
            random,
            start,
            now: start,
            datastore: Datastore::new(),
            replicas: (0..REPLICAS).map(|number| Replica::new(number, clients)).collect(),
            clients: Vec::new(),
            defect,
            has_damage,
            has_pilots,
            witness: Witness::default(),
        };
        world.clients = (0..clients).map(|number| world.newcomer(number)).collect();
        world
    }

    /// Draws what happens next.
    pub(super) fn draw(&mut self) -> Event {
        Event::draw(&mut self.random, self.clients.len(), self.has_damage)
    }

    pub(super) fn run(&mut self, event: &Event) {
        self.witness.note(event);
        let (now, witness) = (self.now, &mut self.witness);
        match event {
            Event::Write(writes) => self.write(writes),
            Event::DeleteAllBut(number) => self.delete_all_but(*number),
            Event::WriteForeign => {
                witness.hit(Point::ForeignWrite);
                self.datastore.write_foreign();
            }
            Event::Compact => {
                witness.hit(Point::HistoryCompacted);
                self.datastore.compact();
            }
            Event::Replace(divisor) => self.replace(*divisor),
            Event::Source(replica) => self.replicas[*replica].source(&self.datastore, witness),
            Event::SetConnected(replica, is_connected) => self.set_connected(*replica, *is_connected),
            Event::List(replica) if self.replicas[*replica].is_connected => {
                witness.hit(Point::ListedUnasked);
                self.replicas[*replica].list(&self.datastore);
            }
            Event::Hear(replica, events) => _ = self.replicas[*replica].hear(*events, now, witness),
            Event::Publish(replica) => self.replicas[*replica].publish(),
            Event::Beat(replica, beats) => (0..*beats).for_each(|_| self.replicas[*replica].beat()),
            Event::Restart(replica) => {
                witness.hit(Point::ReplicaRestarted);
                self.replicas[*replica].restart(witness);
            }
            Event::Drain(replica, within) => {
                witness.hit(Point::ReplicaDrains);
                self.replicas[*replica].begin_drain(*within, now);
            }
            Event::Pass(time) => self.pass(*time),
            Event::Read(client, messages, of_candidate) => _ = self.read(*client, *messages, *of_candidate),
            Event::Cut(client, replica) => self.cut(*client, *replica),
            Event::Try(client, replica) if self.clients[*client].pilot.is_none() => {
                self.clients[*client].try_another(*replica, &mut self.replicas[*replica], now);
            }
            Event::List(_) | Event::Try(..) => {}
            Event::RestartClient(client) => self.restart_client(*client),
            Event::Forget(client, replica) => {
                self.replicas[*replica].forgets = true;
                self.cut(*client, *replica);
            }
            Event::DamageReplica(replica) => self.replicas[*replica].damage(&mut self.random, now, witness),
            Event::DamageMessage(client) => self.damage_message(*client),
            Event::DamageClient(client, number, with_digest) => {
                self.clients[*client].damage(*number, *with_digest, witness);
            }
        }
    }

    fn write(&mut self, writes: &BTreeMap<u64, Option<Bytes>>) {
        self.datastore.write(writes);
        self.datastore.spoil_last(self.defect);
    }

    fn delete_all_but(&mut self, number: u64) {
        self.witness.hit(Point::MassDeletion);
        self.write(&(0..KEYS).filter(|other| *other != number).map(|other| (other, None)).collect());
    }

    fn replace(&mut self, divisor: u64) {
        self.witness.hit(Point::DatastoreReplaced);
        self.datastore.replace(|number| number.is_multiple_of(divisor));
        if self.defect == Some(Defect::DatastoreIsNotChecked) {
            self.datastore.id -= 1;
        }
    }

    fn set_connected(&mut self, replica: usize, is_connected: bool) {
        let replica = &mut self.replicas[replica];
        if replica.is_connected && !is_connected {
            self.witness.hit(Point::SourceCutOff);
        }
        replica.is_connected = is_connected;
    }

    pub(super) fn pass(&mut self, time: Duration) {
        if time >= LONG {
            self.witness.hit(Point::MinutesPassed);
        }
        self.now += time;
        for replica in &mut self.replicas {
            if self.defect != Some(Defect::NobodyAudits) {
                replica.work(&self.datastore, self.now, &mut self.witness);
            }
        }
    }

    /// Whether there was anything to read on the stream.
    pub(super) fn read(&mut self, client: usize, messages: usize, of_candidate: usize) -> bool {
        self.follow_wish(client);
        let agent = &mut self.clients[client];
        let candidate = agent.candidate.as_mut().map(|candidate| &mut candidate.stream);
        for stream in agent.stream.iter_mut().chain(candidate) {
            stream.pump(&self.replicas[stream.replica], self.now);
        }
        let (datastore, defect) = (&self.datastore, self.defect);
        let mut scene = Scene { now: self.now, datastore, defect, witness: &mut self.witness };
        let has_read = agent.read(messages, &mut scene);
        agent.read_candidate(of_candidate, &mut scene);
        has_read
    }

    /// A client goes where it wants to go.
    fn follow_wish(&mut self, client: usize) {
        let (agent, now) = (&mut self.clients[client], self.now);
        match agent.decide(now, &mut self.witness) {
            Wish::Connect(replica) => agent.connect(replica, &mut self.replicas[replica], now, &mut self.witness),
            Wish::Look(replica) => agent.try_another(replica, &mut self.replicas[replica], now),
            Wish::Nothing | Wish::Abandon(_) | Wish::Leave(_) => {}
        }
    }

    fn cut(&mut self, client: usize, replica: usize) {
        let (agent, now) = (&mut self.clients[client], self.now);
        if agent.stream.is_some() {
            self.witness.hit(Point::ConnectionCut);
        }
        agent.lose(super::super::course::Trouble::Failed, None, now);
        if agent.pilot.is_none() {
            agent.connect(replica, &mut self.replicas[replica], now, &mut self.witness);
        }
    }

    fn restart_client(&mut self, client: usize) {
        self.witness.hit(Point::ClientRestarted);
        self.clients[client].end(&mut self.witness);
        self.clients[client] = self.newcomer(client);
    }

    fn damage_message(&mut self, client: usize) {
        let stream = self.clients[client].stream.as_ref();
        if stream.is_some_and(|stream| stream.damage(&mut self.random)) {
            self.witness.hit(Point::MessageDamaged);
        }
    }

    /// A client with nothing.
    fn newcomer(&mut self, number: usize) -> Agent {
        let pilot = self.has_pilots.then(|| self.pilot(number));
        Agent::new(number, pilot)
    }

    pub(super) fn pilot(&mut self, client: usize) -> Pilot {
        let replicas: Vec<_> = self.replicas.iter().map(|replica| Arc::clone(&replica.name)).collect();
        Pilot::new(client, &replicas, self.random.fork(), self.now)
    }
}
