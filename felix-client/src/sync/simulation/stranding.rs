//! One replica loses the datastore while the others have it: clients leave it by their own decision, do not come back
//! while it is stale, and do when it is not. Or all lose it, and nobody wanders.

use std::{collections::BTreeMap, time::Duration};

use super::{
    event::Event,
    healing::{BEAT, TICK},
    pilot::Pilot,
    world::{REPLICAS, World},
};

/// A view is stale after 15 s; a beat, a spread and two steps later everybody is gone.
const LEFT_WITHIN: Duration = Duration::from_secs(23);

/// How long the replica stays without the datastore: long enough for every client to look at it several times.
const STRANDED: Duration = Duration::from_mins(5);

/// A replica is avoided for seven and a half minutes at most, and moves are spread.
const BACK_WITHIN: Duration = Duration::from_mins(8);

/// Decisions to go elsewhere that all this takes of one client: to leave the stale replica, to go to the one that it
/// prefers of the others, to come back.
const DEPARTURES: u32 = 3;

/// Attempts at a second stream meanwhile: a replica whose view is old is looked at again after 30 s at least, and longer
/// each time.
const LOOKS: u32 = 10;

/// Where all views are old each replica is asked once in a round: at once, and after rests of 30 s, a minute and two.
const ROUNDS: u32 = 4;

impl World {
    pub(super) fn strand(&mut self) {
        self.settle();
        let before = self.travels();
        let replica = self.random.usize(..REPLICAS);
        self.run(&Event::SetConnected(replica, false));
        // Otherwise the stranded one has all that the others have.
        if self.random.bool() {
            self.write_one("news");
        }
        self.live(LEFT_WITHIN, TICK);
        self.assert_nobody_at(replica);
        self.live(STRANDED, BEAT);
        self.assert_nobody_at(replica);
        self.run(&Event::SetConnected(replica, true));
        self.live(BACK_WITHIN, BEAT);
        self.check();
        self.assert_travels(&before, DEPARTURES, LOOKS);
        for (client, agent) in self.clients.iter().enumerate() {
            let (Some(pilot), Some(stream)) = (&agent.pilot, &agent.stream) else { panic!("client {client} is lost") };
            assert_eq!(Some(stream.replica), pilot.preferred(), "client {client} is not where it belongs");
        }
    }

    /// All replicas lose the datastore: everybody keeps what there is, has it from somebody, and does not wander.
    pub(super) fn strand_all(&mut self) {
        self.settle();
        let before = self.travels();
        (0..REPLICAS).for_each(|replica| self.run(&Event::SetConnected(replica, false)));
        self.live(STRANDED, BEAT);
        self.assert_travels(&before, ROUNDS * REPLICAS as u32, LOOKS);
        for (client, agent) in self.clients.iter().enumerate() {
            assert!(agent.stream.is_some(), "client {client} has gone from everybody");
            assert!(agent.state == *self.datastore.state, "client {client} lost what it had");
        }
        (0..REPLICAS).for_each(|replica| self.run(&Event::SetConnected(replica, true)));
        self.live(BACK_WITHIN, BEAT);
        self.check();
    }

    /// What was learnt of replicas before is forgotten, and everybody is where it belongs.
    fn settle(&mut self) {
        // From a datastore that was never written to nobody can resume.
        self.write_one("something");
        self.live(BACK_WITHIN, BEAT);
    }

    fn write_one(&mut self, value: &'static str) {
        self.run(&Event::Write(BTreeMap::from([(0, Some(value.into()))])));
    }

    fn assert_nobody_at(&self, replica: usize) {
        for (client, agent) in self.clients.iter().enumerate() {
            let at = agent.stream.as_ref().map(|stream| stream.replica);
            assert!(at.is_some_and(|at| at != replica), "client {client} is with {at:?}, {replica} is stale");
            assert!(agent.state == *self.datastore.state, "client {client} enforces something old");
        }
    }

    /// Each client's departures and looks so far.
    fn travels(&self) -> Vec<(u32, u32)> {
        let travels = |pilot: &Pilot| (pilot.departures, pilot.looks);
        self.clients.iter().map(|agent| agent.pilot.as_ref().map_or((0, 0), travels)).collect()
    }

    fn assert_travels(&self, before: &[(u32, u32)], departures_max: u32, looks_max: u32) {
        for (client, (now, before)) in self.travels().into_iter().zip(before).enumerate() {
            let (departures, looks) = (now.0 - before.0, now.1 - before.1);
            assert!(departures <= departures_max, "client {client} wandered: it went elsewhere {departures} times");
            assert!(looks <= looks_max, "client {client} is restless: it looked elsewhere {looks} times");
        }
    }
}
