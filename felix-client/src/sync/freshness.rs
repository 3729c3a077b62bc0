//! Whether to stay with a replica whose own view of the datastore grows old, and which one to go to. Pure: ages and
//! times come in, verdicts go out.
//!
//! A client whose replica is stale asks the others, each once in a round, by going there: with resumption that costs
//! next to nothing. The first fresh one keeps it. Where all are stale it stays with the freshest, enforces what it has,
//! and rests before the next round, longer each time, so that it does not wander while the datastore is away.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::replica::Replica;

/// The rest after the first round in vain. Long against the round itself, short for a datastore that was restarted.
const FIRST_REST: Duration = Duration::from_secs(30);

/// No rest is longer: a client finds a replica that is fresh again within this.
const MAX_REST: Duration = Duration::from_mins(5);

/// A replica whose view is younger by less is not worth a move. Ages are told in whole seconds, some seconds apart.
const WORTH_A_MOVE: Duration = Duration::from_secs(2);

/// What a client knows of the freshness of its replicas.
#[derive(Debug)]
pub(super) struct Freshness {
    /// A view of this age is stale.
    limit: Duration,
    /// What the present round brought, by the address of the replica; those that were not asked yet are not there.
    asked: BTreeMap<Arc<str>, Answer>,
    /// No round begins before this.
    rests_until: Option<Instant>,
    /// Rounds in vain since a view was last fresh.
    rounds: u32,
}

/// What asking a replica brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    /// No stream, or none that lasted.
    Failed,
    /// Its view is stale; this is how far it reaches, where that can be told.
    FreshAt(Option<Instant>),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is no better place, or it is not time to look for one.
    Stay,
    /// Leave for the replica of this address.
    GoTo(Arc<str>),
}

impl Freshness {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, asked: BTreeMap::new(), rests_until: None, rounds: 0 }
    }

    /// Whether a view of this age is stale.
    pub(super) fn is_stale(&self, age: Duration) -> bool {
        age >= self.limit
    }

    /// A replica told how old its view is; `replicas` are all that there are now, in the order in which to ask them.
    pub(super) fn told(&mut self, here: &Arc<str>, replicas: &[Replica], age: Duration, now: Instant) -> Verdict {
        if !self.is_stale(age) {
            *self = Self::new(self.limit);
            return Verdict::Stay;
        }
        if self.rests_until.is_some_and(|until| now < until) {
            return Verdict::Stay;
        }
        // What failed during the rest is asked in the new round all the same.
        if self.rests_until.take().is_some() {
            self.asked.clear();
        }
        self.asked.insert(Arc::clone(here), Answer::FreshAt(now.checked_sub(age)));
        match replicas.iter().find(|replica| !self.asked.contains_key(&replica.address)) {
            Some(next) => Verdict::GoTo(Arc::clone(&next.address)),
            None => self.end_round(here, now),
        }
    }

    /// A replica was not reached, or its stream ended by itself.
    pub(super) fn failed(&mut self, address: &Arc<str>) {
        self.asked.insert(Arc::clone(address), Answer::Failed);
    }

    fn end_round(&mut self, here: &Arc<str>, now: Instant) -> Verdict {
        let rest = FIRST_REST.saturating_mul(1_u32.checked_shl(self.rounds).unwrap_or(u32::MAX)).min(MAX_REST);
        self.rests_until = Some(now + rest);
        self.rounds = self.rounds.saturating_add(1);
        let freshest = self.freshest(here);
        self.asked.clear();
        if freshest == *here { Verdict::Stay } else { Verdict::GoTo(freshest) }
    }

    /// The replica whose view reaches furthest, where that is worth a move from `here`.
    fn freshest(&self, here: &Arc<str>) -> Arc<str> {
        let fresh_at = |address: &Arc<str>| match self.asked.get(address) {
            Some(Answer::FreshAt(at)) => *at,
            Some(Answer::Failed) | None => None,
        };
        let best = self.asked.keys().max_by_key(|address| fresh_at(address)).unwrap_or(here);
        match (fresh_at(best), fresh_at(here)) {
            (Some(best_at), Some(here_at)) if best_at >= here_at + WORTH_A_MOVE => Arc::clone(best),
            (Some(_), None) => Arc::clone(best),
            _ => Arc::clone(here),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(15);
    const BEAT: Duration = Duration::from_secs(5);

    fn address(number: usize) -> Arc<str> {
        format!("{number}:1").into()
    }

    fn replicas(count: usize) -> Vec<Replica> {
        let replica =
            |number| Replica { address: address(number), zone: None, found_by: address(number), is_spare: false };
        (0..count).map(replica).collect()
    }

    /// Replicas that lost the datastore at a time each, and a client among them.
    struct World {
        start: Instant,
        now: Instant,
        /// Seconds after `start`; none for a replica that is fresh.
        cut_at: Vec<Option<u64>>,
        replicas: Vec<Replica>,
        freshness: Freshness,
        place: usize,
        moves: Vec<usize>,
    }

    impl World {
        fn new(cut_at: &[Option<u64>]) -> Self {
            let start = Instant::now() + MAX_REST;
            let (freshness, replicas) = (Freshness::new(LIMIT), replicas(cut_at.len()));
            Self { start, now: start, cut_at: cut_at.to_vec(), replicas, freshness, place: 0, moves: Vec::new() }
        }

        /// A checkpoint at every beat, and at once after a move.
        fn run(&mut self, time: Duration) -> &[usize] {
            let end = self.now + time;
            while self.now < end {
                let cut_at = self.cut_at[self.place].map(|seconds| self.start + Duration::from_secs(seconds));
                let age = cut_at.map_or(Duration::ZERO, |at| self.now.saturating_duration_since(at));
                let here = Arc::clone(&self.replicas[self.place].address);
                match self.freshness.told(&here, &self.replicas, age, self.now) {
                    Verdict::Stay => self.now += BEAT,
                    Verdict::GoTo(next) => {
                        assert_ne!(next, here);
                        let next = self.replicas.iter().position(|replica| replica.address == next).unwrap();
                        self.place = next;
                        self.moves.push(next);
                        self.now += Duration::from_millis(100);
                    }
                }
            }
            &self.moves
        }
    }

    #[test]
    fn a_fresh_replica_is_never_left() {
        assert!(World::new(&[None, None, None]).run(Duration::from_hours(1)).is_empty());
        assert!(World::new(&[None, Some(0)]).run(Duration::from_hours(1)).is_empty());
    }

    #[test]
    fn a_stale_replica_is_left_for_the_first_that_is_fresh() {
        assert_eq!(World::new(&[Some(0), None, None]).run(Duration::from_hours(1)), [1]);
        assert_eq!(World::new(&[Some(0), Some(0), None]).run(Duration::from_hours(1)), [1, 2]);
    }

    #[test]
    fn a_replica_that_is_alone_is_kept() {
        assert!(World::new(&[Some(0)]).run(Duration::from_hours(1)).is_empty());
    }

    #[test]
    fn where_all_are_stale_the_freshest_is_kept_and_rounds_are_rare() {
        let mut world = World::new(&[Some(0), Some(10), Some(0)]);
        world.run(Duration::from_secs(40));
        assert_eq!(world.moves, [1, 0, 2, 1], "1 was fresh for a while; then 0 and 2 were asked, in vain");
        world.run(Duration::from_hours(10));
        assert_eq!(world.place, 1);
        // Per round at most one move for each replica, and at most one round per five minutes in the long run.
        assert!(world.moves.len() < 3 * (10 * 12 + 10), "{}", world.moves.len());
    }

    #[test]
    fn a_replica_that_is_fresh_again_is_found_within_a_rest() {
        let mut world = World::new(&[Some(0), Some(0)]);
        world.run(Duration::from_hours(1));
        let other = 1 - world.place;
        world.cut_at[other] = None;
        world.run(MAX_REST + BEAT);
        assert_eq!(world.place, other);
        let moves = world.moves.len();
        assert_eq!(world.run(Duration::from_hours(1)).len(), moves);
    }

    #[test]
    fn replicas_that_cannot_be_reached_do_not_keep_a_round_open() {
        let (now, replicas) = (Instant::now(), replicas(3));
        let mut freshness = Freshness::new(LIMIT);
        let told = |freshness: &mut Freshness, at| freshness.told(&address(0), &replicas, LIMIT, at);
        assert_eq!(told(&mut freshness, now), Verdict::GoTo(address(1)));
        freshness.failed(&address(1));
        freshness.failed(&address(2));
        assert_eq!(told(&mut freshness, now), Verdict::Stay);
        assert_eq!(told(&mut freshness, now + BEAT), Verdict::Stay, "it rests");
        assert_eq!(told(&mut freshness, now + FIRST_REST), Verdict::GoTo(address(1)), "and asks again");
    }

    #[test]
    fn one_that_failed_during_a_rest_is_asked_after_it() {
        let (now, replicas) = (Instant::now(), replicas(2));
        let mut freshness = Freshness::new(LIMIT);
        let told = |freshness: &mut Freshness, at| freshness.told(&address(0), &replicas, LIMIT, at);
        assert_eq!(told(&mut freshness, now), Verdict::GoTo(address(1)));
        freshness.failed(&address(1));
        assert_eq!(told(&mut freshness, now), Verdict::Stay);
        freshness.failed(&address(1));
        assert_eq!(told(&mut freshness, now + FIRST_REST), Verdict::GoTo(address(1)), "it may be back");
        freshness.failed(&address(1));
        assert_eq!(told(&mut freshness, now + FIRST_REST + BEAT), Verdict::Stay, "once in a round");
    }

    #[test]
    fn a_view_that_was_never_fresh_is_the_worst() {
        let (now, replicas) = (Instant::now(), replicas(2));
        let mut freshness = Freshness::new(LIMIT);
        assert_eq!(freshness.told(&address(0), &replicas, LIMIT, now), Verdict::GoTo(address(1)));
        assert_eq!(freshness.told(&address(1), &replicas, Duration::MAX, now), Verdict::GoTo(address(0)));
        assert_eq!(freshness.told(&address(0), &replicas, LIMIT, now), Verdict::Stay);
    }
}
