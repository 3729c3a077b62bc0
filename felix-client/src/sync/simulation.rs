//! A datastore in memory, replicas of typha, clients, and everything that happens to them, from a seed.
//!
//! All that decides is production code: typha's feed, store, batches, admission and sessions, and the client's protocol,
//! ledger and decoder, course, freshness, plan, backoff and what it gathers of a second stream. What would be sockets,
//! clocks and sources is drawn from the seed: delays, cuts, restarts, drains, jumps of the clock, compaction, another
//! datastore, bits that flip. In half of the seeds it is drawn too where clients go, so that whatever a choice of replicas
//! may decide is among it.
//!
//! At every cut a client's state equals the one that its datastore had at that revision, key by key, it never goes back,
//! and the age that it is told is the replica's. Afterwards nothing more goes wrong, and everybody is in sync soon; what
//! was damaged is found and mended; a replica that is stale is left, and nobody wanders.

mod agent;
mod datastore;
mod event;
mod healing;
mod hits;
mod memory;
mod outcome;
mod pilot;
mod plants;
mod point;
mod replica;
mod seeds;
mod stranding;
mod stream;
mod tally;
mod task;
mod witness;
mod world;

use self::{outcome::Outcome, world::World};

/// What happens in one run, at most, for each client that there is.
const EVENTS_PER_CLIENT: usize = 150;

/// In one seed of so many a replica loses the datastore alone, which takes long, and in another one all do.
const STRANDED_EVERY: u64 = 5;

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
    /// A client stays with a replica however old its view is.
    StaleIsKept,
}

/// A whole run.
fn run(seed: u64, defect: Option<Defect>, tells: bool) -> Outcome {
    let mut world = World::new(seed, defect);
    let events_max = EVENTS_PER_CLIENT * world.clients.len();
    for number in 0..world.random.usize(1..events_max) {
        let event = world.draw();
        if tells {
            println!("{number}: {event:?}");
        }
        world.run(&event);
    }
    let in_sync_after = world.heal();
    match world.random.u64(..STRANDED_EVERY) {
        0 => world.strand(),
        1 => world.strand_all(),
        _ => {}
    }
    world.welcome();
    Outcome {
        trace: world.witness.trace(),
        hits: world.witness.hits,
        compared: world.witness.compared,
        damage: world.witness.damage,
        simulated: world.now - world.start,
        in_sync_after,
    }
}
