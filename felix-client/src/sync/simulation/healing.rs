//! What must be true once nothing more goes wrong: everybody is in sync soon, all damage is mended, a newcomer is served
//! by any replica.

use std::time::{Duration, Instant};

use super::{
    agent::Agent,
    datastore::KEYS,
    event::Event,
    world::{REPLICAS, World},
};

/// Without hidden damage every client has what there is within this.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(30);

/// Hidden damage is met and mended within this: an audit or a client's own sum comes every minute, and takes its time to
/// be acted on.
const MENDED_WITHIN: Duration = Duration::from_secs(90);

/// Damage may hide behind damage: a message that was made of a damaged entry, in a cache that a client meets later.
const LAYERS_OF_DAMAGE: usize = 2;

/// A newcomer is served by any one replica within this, whatever it complains of first.
const WELCOME_WITHIN: Duration = Duration::from_mins(1);

/// A step of time, and a replica's beat.
pub(super) const TICK: Duration = Duration::from_secs(1);
pub(super) const BEAT: Duration = Duration::from_secs(5);

/// More messages than a client can have before it at once.
const MESSAGES: usize = 10;
const READS: usize = 10;

impl World {
    /// Nothing more goes wrong: everybody gets what there is, and all that was damaged is mended. How long it took from
    /// when no damage was hidden any more.
    pub(super) fn heal(&mut self) -> Duration {
        self.stop_faults();
        if self.has_damage {
            (0..LAYERS_OF_DAMAGE).for_each(|_| self.live(MENDED_WITHIN, BEAT));
        }
        let calm = self.now;
        while !self.is_in_sync() {
            let after = self.now.saturating_duration_since(calm);
            assert!(after < IN_SYNC_WITHIN, "{} {after:?} after the last fault", self.laggards());
            self.tick(TICK);
        }
        let took = self.now.saturating_duration_since(calm);
        if self.has_damage {
            self.plant();
            self.live(MENDED_WITHIN, BEAT);
        }
        self.check();
        took
    }

    /// Everybody is in sync, and then each replica and a client are damaged.
    fn plant(&mut self) {
        for replica in 0..REPLICAS {
            self.run(&Event::DamageReplica(replica));
        }
        let (client, with_digest) = (self.random.usize(..self.clients.len()), self.random.bool());
        (0..KEYS).for_each(|number| self.run(&Event::DamageClient(client, number, with_digest)));
    }

    /// Everything works again, and clients go their own way.
    fn stop_faults(&mut self) {
        for replica in &mut self.replicas {
            (replica.is_connected, replica.forgets) = (true, false);
            if !replica.takes_streams() {
                replica.restart(&mut self.witness);
            }
        }
        for client in 0..self.clients.len() {
            if self.clients[client].pilot.is_none() {
                let pilot = self.pilot(client);
                self.clients[client].go_own_way(pilot, self.now);
            }
        }
    }

    fn is_in_sync(&self) -> bool {
        self.clients.iter().all(|agent| agent.state == *self.datastore.state)
            && self.replicas.iter().all(|replica| replica.is_whole(&self.datastore))
    }

    fn laggards(&self) -> String {
        let clients = self.clients.iter().enumerate();
        let lagging: Vec<_> = clients.filter(|(_, agent)| agent.state != *self.datastore.state).collect();
        let replicas = self.replicas.iter().filter(|replica| !replica.is_whole(&self.datastore));
        let (clients, replicas): (Vec<_>, Vec<_>) =
            (lagging.iter().map(|(client, _)| client).collect(), replicas.map(|replica| &replica.name).collect());
        format!("clients {clients:?} and replicas {replicas:?} are not in sync")
    }

    /// All have what there is, and no damage is left.
    pub(super) fn check(&self) {
        assert!(self.is_in_sync(), "{}", self.laggards());
        let damage = &self.witness.damage;
        assert_eq!(damage.lasting(), damage.repaired, "planted damage is left: {damage:?}");
    }

    /// Time passes in which everybody does what there is to do.
    pub(super) fn live(&mut self, time: Duration, step: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.tick(step);
        }
    }

    fn tick(&mut self, step: Duration) {
        let (start, now) = (self.start, self.now);
        let beats = |at: Instant| at.saturating_duration_since(start).as_secs() / BEAT.as_secs();
        let is_beat = beats(now) != beats(now + step);
        for replica in &mut self.replicas {
            if is_beat || !replica.is_current(&self.datastore) {
                replica.source(&self.datastore, &mut self.witness);
            }
            if replica.hear(usize::MAX, now, &mut self.witness) {
                replica.publish();
            }
            if is_beat {
                replica.beat();
            }
        }
        for client in 0..self.clients.len() {
            let mut reads = 0..READS;
            // The first may open a stream, the second read what was opened beside it.
            while reads.next().is_some_and(|number| self.read(client, MESSAGES, MESSAGES) || number < 2) {}
        }
        self.pass(step);
    }

    /// A newcomer gets everything from each replica, if need be at its second or third attempt: a message that was damaged
    /// after it was made is kept for others too, and it may be the first to meet it.
    pub(super) fn welcome(&mut self) {
        for replica in 0..REPLICAS {
            self.clients[0].end(&mut self.witness);
            self.clients[0] = Agent::new(replica, None);
            if self.has_damage {
                self.send_to(replica);
                self.read(0, 0, 0);
                self.run(&Event::DamageMessage(0));
            }
            let came = self.now;
            while self.clients[0].state != *self.datastore.state {
                let after = self.now.saturating_duration_since(came);
                assert!(after < WELCOME_WITHIN, "a newcomer at replica {replica} lacks something after {after:?}");
                if self.clients[0].stream.is_none() {
                    self.send_to(replica);
                }
                self.tick(TICK);
            }
        }
    }

    fn send_to(&mut self, replica: usize) {
        self.clients[0].connect(replica, &mut self.replicas[replica], self.now, &mut self.witness);
    }
}
