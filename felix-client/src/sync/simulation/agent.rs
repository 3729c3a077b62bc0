//! A client: the production protocol and ledger, a stream and maybe a second one, and where it goes: by its own
//! decision, or wherever the seed says.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use model::{
    Version,
    digest::{Digest, Ranges},
};
use proto::sync::v1::{self as wire, begin::Mode, go_away::Kind};
use typha::{
    batch::Encoding,
    session::{Claim, Position, Session, Subscription},
};

use super::{
    super::{
        course::Trouble,
        disconnect::Disconnect,
        freshness::Verdict,
        protocol::{Cut, Protocol, ProtocolError},
        session::candidate::trouble_of,
    },
    Defect,
    datastore::{Datastore, digest_of, key},
    pilot::{Pilot, Wish},
    point::Point,
    replica::Replica,
    stream::{Candidate, Read, Stream},
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

/// What a client reads in.
pub(super) struct Scene<'a> {
    pub(super) now: Instant,
    pub(super) datastore: &'a Datastore,
    pub(super) defect: Option<Defect>,
    pub(super) witness: &'a mut Witness,
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

    /// Opens a stream, which a replica that is down refuses.
    pub(super) fn connect(&mut self, number: usize, replica: &mut Replica, now: Instant, witness: &mut Witness) {
        self.close();
        if !replica.is_up {
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
        if replica.is_up {
            let stream = self.open(number, replica, true, now);
            self.candidate = Some(Candidate::new(stream, self.protocol.datastore_id()));
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

    /// Takes up to so many messages of its stream. Whether there was any.
    pub(super) fn read(&mut self, messages: usize, scene: &mut Scene<'_>) -> bool {
        for number in 0..messages {
            let Some(stream) = &mut self.stream else { return number > 0 };
            match stream.read(scene.witness) {
                Read::Message(batch, age) => {
                    let (here, upstream_age) = (stream.replica, self.accept(*batch, age, scene));
                    self.follow(here, upstream_age, scene);
                }
                Read::Garbage => {
                    scene.witness.hit(Point::MessageUnreadable);
                    self.protocol.distrust();
                    self.lose(Trouble::Failed, None, scene.now);
                }
                Read::Nothing => return number > 0,
                Read::End => {
                    self.lose(Trouble::Failed, None, scene.now);
                    return true;
                }
            }
        }
        true
    }

    /// Reads up to so many messages of the second stream, and moves when that has caught up.
    pub(super) fn read_candidate(&mut self, messages: usize, scene: &mut Scene<'_>) {
        for _ in 0..messages {
            let Some(candidate) = &mut self.candidate else { return };
            let gathered = match candidate.stream.read(scene.witness) {
                Read::Nothing => return,
                Read::Message(batch, _) => {
                    if batch.go_away.as_ref().is_some_and(|word| word.kind() == Kind::NoResume) {
                        scene.witness.hit(Point::NoResume);
                    }
                    let pilot = &self.pilot;
                    candidate.gather(*batch, |age| pilot.as_ref().is_some_and(|pilot| pilot.is_stale(age)))
                }
                Read::Garbage | Read::End => Err(Trouble::Failed),
            };
            if let Err(trouble) = gathered {
                return self.abandon(trouble, scene.now, scene.witness);
            }
            let checkpoint = candidate.gathered.checkpoint.as_ref();
            if checkpoint.is_some_and(|checkpoint| checkpoint.revision >= self.at.1) {
                return self.hand_over(scene);
            }
        }
    }

    /// What the client knows of a key is damaged, if it knows it; whether it does.
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
}

impl Agent {
    /// What the production client's request becomes at typha's door.
    fn open(&mut self, number: usize, replica: &mut Replica, resume_only: bool, now: Instant) -> Stream {
        let position = self.protocol.position();
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
        self.is_behind_tombstones =
            is_of_this.is_some_and(|position| 0 < position.revision && position.revision < view.floor());
        let complaint = doubted.map(|ranges| replica.complain(ranges, now));
        let subscription = Subscription { position, claim, put_off: self.put_off, resume_only };
        let (name, admission) = (Arc::clone(&replica.name), Arc::clone(&replica.admission));
        let session = Session::new(name, self.encoding, subscription, admission).after_complaint(complaint);
        Stream::new(number, replica.life, session, self.encoding == Encoding::Zstd)
    }

    /// Takes a message in. The age that a state came with, where one was handed on.
    fn accept(&mut self, batch: wire::Batch, age: Option<Duration>, scene: &mut Scene<'_>) -> Option<Duration> {
        self.note_begin(&batch, scene.witness);
        let begun = batch.begin.as_ref().map(|begin| begin.datastore_id);
        if let Some(pilot) = &mut self.pilot {
            pilot.heard(scene.now);
        }
        match self.protocol.on_batch(batch) {
            Ok(step) => {
                self.begun = begun.unwrap_or(self.begun);
                let upstream_age = step.cut.map(|cut| self.act(cut, age, scene));
                if let Some(word) = &step.go_away {
                    self.on_word(word, scene);
                }
                upstream_age
            }
            Err(error) => {
                if matches!(error, ProtocolError::DigestMismatch { .. }) {
                    scene.witness.hit(Point::DigestRefused);
                }
                self.lose(Trouble::Failed, None, scene.now);
                None
            }
        }
    }

    fn note_begin(&mut self, batch: &wire::Batch, witness: &mut Witness) {
        let Some(begin) = &batch.begin else { return };
        let is_behind_tombstones = std::mem::take(&mut self.is_behind_tombstones);
        match begin.mode() {
            Mode::Snapshot => witness.hit(Point::SnapshotBegun),
            Mode::Resume => witness.hit(Point::Resumed),
            Mode::Repair if is_behind_tombstones => witness.hit(Point::RepairedBehindTombstones),
            Mode::Repair => witness.hit(Point::RepairBegun),
            Mode::Unspecified => {}
        }
    }

    /// What an agent does with a cut, and what must be true of it then. The age that it was told.
    fn act(&mut self, cut: Cut, age: Option<Duration>, scene: &mut Scene<'_>) -> Duration {
        let at = (self.begun, cut.revision);
        for update in cut.updates.into_iter().filter(|_| scene.defect != Some(Defect::ConsumerForgets)) {
            match update.value {
                Some(value) => self.state.insert(update.key, (value, update.revision)),
                None => self.state.remove(&update.key),
            };
        }
        assert!(self.at.0 != at.0 || self.at.1 <= at.1, "back in time from {:?} to {at:?}", self.at);
        scene.witness.judge(self.number, at, cut.upstream_age, &self.state, scene.datastore);
        // Ages are told in whole seconds. A frame that was gathered has none of its own.
        let told = age.map(|age| Duration::from_secs(age.as_secs()));
        assert!(told.is_none_or(|age| cut.upstream_age == age), "an age of {age:?} was told as {:?}", cut.upstream_age);
        (self.at, self.put_off) = (at, 0);
        self.note_repair(scene.witness);
        cut.upstream_age
    }

    /// Whether what it knows of its state is that state's.
    fn note_repair(&mut self, witness: &mut Witness) {
        if self.damaged.is_empty() {
            return;
        }
        let ranges = self.protocol.position().and_then(|position| Ranges::from_bytes(&position.ranges));
        if ranges.is_some_and(|ranges| ranges.total() == digest_of(&self.state)) {
            witness.damage.repaired += self.damaged.len() as u64;
            self.damaged.clear();
        }
    }

    fn on_word(&mut self, word: &wire::GoAway, scene: &mut Scene<'_>) {
        let point = match word.kind() {
            Kind::Busy => Some(Point::PutOff),
            Kind::Behind => Some(Point::ReplicaBehind),
            Kind::NotReady => Some(Point::ReplicaNotReady),
            Kind::Draining if word.within_ms > 0 => Some(Point::AskedToGo),
            _ => None,
        };
        if let Some(point) = point {
            scene.witness.hit(point);
        }
        self.put_off += u32::from(word.kind() == Kind::Busy);
        let (Some(pilot), Some(stream)) = (&mut self.pilot, &self.stream) else { return };
        if Disconnect::told(&"".into(), word).is_some() {
            self.lose(trouble_of(word), None, scene.now);
        } else {
            pilot.asked(stream.replica, word, scene.now);
        }
    }

    /// Leaves a replica whose view is old where production would.
    fn follow(&mut self, here: usize, upstream_age: Option<Duration>, scene: &mut Scene<'_>) {
        let (Some(pilot), Some(age)) = (&mut self.pilot, upstream_age) else { return };
        if self.stream.is_none() {
            return;
        }
        match pilot.on_state(here, age, scene.now) {
            Verdict::GoTo(next) if scene.defect != Some(Defect::StaleIsKept) => {
                scene.witness.hit(Point::StaleLeft);
                self.lose(Trouble::Stale, Some(next), scene.now);
            }
            _ if pilot.is_stale(age) => scene.witness.hit(Point::StaleKept),
            _ => {}
        }
    }

    fn hand_over(&mut self, scene: &mut Scene<'_>) {
        let Some(Candidate { stream, gathered, .. }) = self.candidate.take() else { return };
        let here = stream.replica;
        self.stream = Some(stream);
        if self.accept(gathered, None, scene).is_some() {
            scene.witness.hit(Point::Moved);
            if let Some(pilot) = &mut self.pilot {
                pilot.opened(here, true, scene.now);
            }
        }
    }

    fn abandon(&mut self, trouble: Trouble, now: Instant, witness: &mut Witness) {
        let Some(candidate) = self.candidate.take() else { return };
        witness.hit(Point::MoveAbandoned);
        let (here, there) = (self.stream.as_ref().map(|stream| stream.replica), candidate.stream.replica);
        if let (Some(pilot), Some(here)) = (&mut self.pilot, here) {
            pilot.abandoned(here, there, trouble, now);
        }
    }
}
