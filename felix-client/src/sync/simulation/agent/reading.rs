//! What a client does with what comes: production's protocol takes it in, and the witness sees every state that it hands on.

use std::time::{Duration, Instant};

use model::digest::Ranges;
use proto::sync::v1::{self as wire, begin::Mode, go_away::Kind};

use super::{
    super::{
        super::{
            course::Trouble,
            disconnect::Disconnect,
            freshness::Verdict,
            protocol::{Cut, ProtocolError},
            session::candidate::{Progress, Unfit, trouble_of},
        },
        Defect,
        datastore::{Datastore, digest_of},
        point::Point,
        stream::{Candidate, Read},
        witness::Witness,
    },
    Agent,
};

/// What a client reads in.
pub(in super::super) struct Scene<'a> {
    pub(in super::super) now: Instant,
    pub(in super::super) datastore: &'a Datastore,
    pub(in super::super) defect: Option<Defect>,
    pub(in super::super) witness: &'a mut Witness,
}

impl Agent {
    /// Takes up to so many messages of its stream. Whether there was any.
    pub(in super::super) fn read(&mut self, messages: usize, scene: &mut Scene<'_>) -> bool {
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
    pub(in super::super) fn read_candidate(&mut self, messages: usize, scene: &mut Scene<'_>) {
        for _ in 0..messages {
            let Some(candidate) = &mut self.candidate else { return };
            let progress = match candidate.stream.read(scene.witness) {
                Read::Nothing => return,
                Read::Message(batch, _) => {
                    if batch.go_away.as_ref().is_some_and(|word| word.kind() == Kind::NoResume) {
                        scene.witness.hit(Point::NoResume);
                    }
                    candidate.gathered.take(*batch).map_err(|unfit| unfit.trouble)
                }
                Read::Garbage | Read::End => Err(Trouble::Failed),
            };
            match progress {
                Ok(Progress::At(revision)) if revision >= self.at.1 => return self.hand_over(scene),
                Ok(Progress::At(_) | Progress::Coming) => {}
                Err(trouble) => return self.abandon(trouble, scene.now, scene.witness),
            }
        }
    }

    /// Takes a message in. The age that a state came with, where one was handed on.
    fn accept(&mut self, batch: wire::Batch, age: Option<Duration>, scene: &mut Scene<'_>) -> Option<Duration> {
        self.note_begin(&batch, scene.witness);
        let begun = batch.begin.as_ref().map(|begin| begin.datastore_id);
        let offered = batch.checkpoint.as_ref().map(|checkpoint| (begun.unwrap_or(self.begun), checkpoint.revision));
        if offered.is_some_and(|(id, revision)| id == self.at.0 && revision < self.at.1) {
            scene.witness.hit(Point::OlderOffered);
        }
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
        let Some(Candidate { stream, gathered }) = self.candidate.take() else { return };
        let (here, gathered) = (stream.replica, gathered.into_batch());
        if !self.protocol.agrees(&gathered) {
            scene.witness.hit(Point::MoveDisagrees);
            return self.abandoned(here, Unfit::disagrees().trouble, scene.now, scene.witness);
        }
        self.stream = Some(stream);
        let is_taken = self.accept(gathered, None, scene).is_some();
        assert!(is_taken || !self.damaged.is_empty(), "a second stream cost the client its first one");
        if is_taken {
            scene.witness.hit(Point::Moved);
            if let Some(pilot) = &mut self.pilot {
                pilot.opened(here, true, scene.now);
            }
        }
    }
}
