//! One replica loses the datastore while the others have it: clients leave it by their own decision, do not come back
//! while it is stale, and do when it is not.

use std::{collections::BTreeMap, time::Duration};

use super::{
    event::Event,
    healing::{BEAT, TICK},
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

impl World {
    pub(super) fn strand(&mut self) {
        // What was learnt of replicas before is forgotten, and everybody is where it belongs.
        self.live(BACK_WITHIN, BEAT);
        let before = self.departures();
        let replica = self.random.usize(..REPLICAS);
        self.run(&Event::SetConnected(replica, false));
        self.run(&Event::Write(BTreeMap::from([(0, Some("news".into()))])));
        self.live(LEFT_WITHIN, TICK);
        self.assert_nobody_at(replica);
        self.live(STRANDED, BEAT);
        self.assert_nobody_at(replica);
        self.run(&Event::SetConnected(replica, true));
        self.live(BACK_WITHIN, BEAT);
        self.check();
        for (client, (agent, before)) in self.clients.iter().zip(before).enumerate() {
            let (Some(pilot), Some(stream)) = (&agent.pilot, &agent.stream) else { panic!("client {client} is lost") };
            assert_eq!(Some(stream.replica), pilot.preferred(), "client {client} is not where it belongs");
            let departures = pilot.departures - before;
            assert!(departures <= DEPARTURES, "client {client} wandered: it went elsewhere {departures} times");
        }
    }

    fn assert_nobody_at(&self, replica: usize) {
        for (client, agent) in self.clients.iter().enumerate() {
            let at = agent.stream.as_ref().map(|stream| stream.replica);
            assert!(at.is_some_and(|at| at != replica), "client {client} is with {at:?}, {replica} is stale");
            assert!(agent.state == *self.datastore.state, "client {client} enforces something old");
        }
    }

    fn departures(&self) -> Vec<u32> {
        let departures = |pilot: &super::pilot::Pilot| pilot.departures;
        self.clients.iter().map(|agent| agent.pilot.as_ref().map_or(0, departures)).collect()
    }
}
