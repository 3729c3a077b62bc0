//! A client: the production protocol and ledger, a stream and maybe a second one, and where it goes: by its own
//! decision, or wherever the seed says. What it does with what comes is `reading`'s business.

mod reading;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use model::{
    Version,
    digest::{Digest, Ranges},
};
use typha::{
    batch::Encoding,
    session::{Claim, Position, Session, Subscription},
};

pub(super) use self::reading::Scene;
use super::{
    super::{config::UPSTREAM_AGE_LIMIT, course::Trouble, protocol::Protocol, session::candidate::Gathered},
    datastore::key,
    pilot::{Pilot, Wish},
    point::Point,
    replica::Replica,
    stream::{Candidate, Stream},
    witness::{State, Witness},
};

pub(super) struct Agent {
    number: usize,
    encoding: Encoding,
    protocol: Protocol,
    /// What the consumer was given.
    pub(super) state: State,
    /// Which datastore's past the state is of, and of when.
    at: (u64, Version),
    /// What `begin` said last.
    begun: u64,
    pub(super) stream: Option<Stream>,
    /// A stream that may take the other's place.
    pub(super) candidate: Option<Candidate>,
    put_off: u32,
    /// Its own way among the replicas; none where the seed says where it goes.
    pub(super) pilot: Option<Pilot>,
    /// Whether it came from before the oldest tombstone of its replica.
    is_behind_tombstones: bool,
    /// Keys of which what it knows was damaged.
    damaged: BTreeSet<u64>,
}

impl Agent {
    pub(super) fn new(number: usize, pilot: Option<Pilot>) -> Self {
        Self {
            number,
            encoding: if number.is_multiple_of(2) { Encoding::Zstd } else { Encoding::Identity },
            protocol: Protocol::default(),
            state: State::new(),
            at: (0, 0),
            begun: 0,
            stream: None,
            candidate: None,
            put_off: 0,
            pilot,
            is_behind_tombstones: false,
            damaged: BTreeSet::new(),
        }
    }

    /// From now on it goes its own way.
    pub(super) fn go_own_way(&mut self, mut pilot: Pilot, now: Instant) {
        self.candidate = None;
        if let Some(stream) = &self.stream {
            pilot.opened(stream.replica, false, now);
        }
        self.pilot = Some(pilot);
    }

    /// It ends, with what was damaged in it.
    pub(super) fn end(&mut self, witness: &mut Witness) {
        witness.damage.ended += self.damaged.len() as u64;
        self.damaged.clear();
    }

    /// Opens a stream, which a replica that is down or drains refuses.
    pub(super) fn connect(&mut self, number: usize, replica: &mut Replica, now: Instant, witness: &mut Witness) {
        self.close();
        if !replica.takes_streams() {
            witness.hit(Point::ReplicaUnreachable);
            if let Some(pilot) = &mut self.pilot {
                pilot.lost(number, Trouble::Failed, None, now);
            }
            return;
        }
        let stream = self.open(number, replica, false, now);
        self.stream = Some(stream);
        if self.is_behind_tombstones {
            witness.hit(Point::BehindTombstones);
        }
        if let Some(pilot) = &mut self.pilot {
            pilot.opened(number, false, now);
        }
    }

    /// Looks at another replica without leaving the present one.
    pub(super) fn try_another(&mut self, number: usize, replica: &mut Replica, now: Instant) {
        if self.protocol.position().is_none_or(|position| position.compare) {
            return self.pilot.iter_mut().for_each(|pilot| pilot.put_look_off(now));
        }
        let Some(here) = self.stream.as_ref().map(|stream| stream.replica) else { return };
        if replica.takes_streams() {
            let stream = self.open(number, replica, true, now);
            // Who goes where the seed says takes any age.
            let age_limit = self.pilot.as_ref().map_or(Duration::MAX, |_| UPSTREAM_AGE_LIMIT);
            let gathered = Gathered::new(self.protocol.position().as_ref(), age_limit);
            self.candidate = Some(Candidate { stream, gathered });
        } else if let Some(pilot) = &mut self.pilot {
            pilot.abandoned(here, number, Trouble::Failed, now);
        }
    }

    /// Where it wants to go by its own decision. What it gives up is given up.
    pub(super) fn decide(&mut self, now: Instant, witness: &mut Witness) -> Wish {
        let Some(pilot) = &mut self.pilot else { return Wish::Nothing };
        let Some(here) = self.stream.as_ref().map(|stream| stream.replica) else { return pilot.seek(now) };
        let wish = pilot.stay(here, self.candidate.is_some(), now);
        match wish {
            Wish::Abandon(trouble) => self.abandon(trouble, now, witness),
            Wish::Leave(trouble) => {
                if trouble == Trouble::LEFT {
                    witness.hit(Point::WentWithoutMove);
                }
                self.lose(trouble, None, now);
            }
            _ => {}
        }
        wish
    }

    /// What the client knows of a key is damaged, if it knows it.
    pub(super) fn damage(&mut self, number: u64, with_digest: bool, witness: &mut Witness) {
        if self.state.contains_key(&key(number)) && self.damaged.insert(number) {
            self.protocol.damage(&key(number).to_string(), with_digest);
            witness.damage.planted += 1;
            witness.hit(if with_digest { Point::RecordDamaged } else { Point::RecordDamagedAlone });
        }
    }

    /// The connection is gone.
    pub(super) fn lose(&mut self, trouble: Trouble, go_to: Option<Arc<str>>, now: Instant) {
        let here = self.stream.as_ref().map(|stream| stream.replica);
        self.close();
        if let (Some(pilot), Some(here)) = (&mut self.pilot, here) {
            pilot.lost(here, trouble, go_to, now);
        }
    }

    fn close(&mut self) {
        self.protocol.closed();
        (self.stream, self.candidate) = (None, None);
    }

    /// What the production client's request becomes at typha's door.
    fn open(&mut self, number: usize, replica: &mut Replica, resume_only: bool, now: Instant) -> Stream {
        let is_forgotten = std::mem::take(&mut replica.forgets);
        let position = self.protocol.position().filter(|_| !is_forgotten);
        let claim = position.as_ref().map(|position| Claim {
            ranges: Ranges::from_bytes(&position.ranges).expect("ranges"),
            compare: position.compare,
        });
        let position = position.map(|position| Position {
            datastore_id: position.datastore_id,
            revision: position.revision,
            digest: Digest::from_bytes(&position.digest).expect("a digest"),
        });
        let view = &replica.published.view;
        let doubted = claim.as_ref().and_then(|claim| claim.doubted(position, view));
        let is_of_this = position.filter(|position| position.datastore_id == view.datastore_id());
        let is_behind = |position: Position| 0 < position.revision && position.revision < view.floor();
        self.is_behind_tombstones = !resume_only && is_of_this.is_some_and(is_behind);
        let complaint = doubted.map(|ranges| replica.complain(ranges, now));
        let subscription = Subscription { position, claim, put_off: self.put_off, resume_only };
        let (name, admission) = (Arc::clone(&replica.name), Arc::clone(&replica.admission));
        let session = Session::new(name, self.encoding, subscription, admission).after_complaint(complaint);
        Stream::new(number, replica.life, session, self.encoding == Encoding::Zstd)
    }

    fn abandon(&mut self, trouble: Trouble, now: Instant, witness: &mut Witness) {
        if let Some(candidate) = self.candidate.take() {
            self.abandoned(candidate.stream.replica, trouble, now, witness);
        }
    }

    fn abandoned(&mut self, there: usize, trouble: Trouble, now: Instant, witness: &mut Witness) {
        witness.hit(Point::MoveAbandoned);
        let here = self.stream.as_ref().map(|stream| stream.replica);
        if let (Some(pilot), Some(here)) = (&mut self.pilot, here) {
            pilot.abandoned(here, there, trouble, now);
        }
    }
}
