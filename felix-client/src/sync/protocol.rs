//! The protocol's client side as a pure state machine: batches in, steps out. No sockets, no clock, no tasks.
//!
//! Entries are buffered until a checkpoint and handed on only when its digest agrees with them, so that a consumer sees
//! nothing but states that the datastore once had. Nothing is ever cleared first: a snapshot replaces what is held by
//! mark and sweep, at its checkpoint. What is held stays in force through every error.

mod error;
#[cfg(test)]
mod tests;

use std::time::Duration;

use model::{
    Key, Update, Version,
    digest::{Digest, EntryHash, RangeSet, Ranges},
};
use proto::sync::v1::{Batch, Begin, Checkpoint, Entry, GoAway, Position, begin};

pub use self::error::ProtocolError;
use super::{
    event::Mode,
    ledger::{Change, Changes, Ledger, News, digest_of},
};

/// Entries that wait for their checkpoint may take this many bytes, keys, values and what holds them. Far above any real datastore
/// (etcd's own limit is 8 GiB, its advice 2 GiB); there so that a broken server cannot take the node's memory.
const MAX_PENDING_BYTES: usize = 2 << 30;

/// What an entry takes beside its key and value, so that empty ones count too.
const ENTRY_BYTES: usize = 128;

/// A snapshot may be complete at a revision before the one held: typha shares snapshots, and what came since follows.
/// After this many checkpoints that are still too old, the server really is behind.
const PATIENCE_CHECKPOINTS: u32 = 3;

/// Checkpoints without news from one sum over everything that is held to the next: typha sends one every 5 s. What is
/// damaged here is found within a minute, for a millisecond of CPU at 100,000 keys.
const SUM_EVERY_CHECKPOINTS: u32 = 12;

/// Longer server names are cut; they only serve logs.
const MAX_SERVER_NAME_CHARS: usize = 253;

/// The client's side of one subscription after the other.
#[derive(Debug, Default)]
pub(super) struct Protocol {
    /// What the consumer has been given; changed at good checkpoints only.
    ledger: Ledger,
    /// Where that stands in the datastore's history; none before the first good checkpoint.
    held: Option<Held>,
    /// Whether a digest disagreed since the last good checkpoint, and what the next subscription asks for therefore.
    doubt: Doubt,
    /// The stream that is open, from its `Begin`.
    stream: Option<Stream>,
    /// Entries since the last checkpoint, newest per key.
    pending: Changes,
    /// Bytes that came into `pending`, duplicates included.
    pending_bytes: usize,
    /// Checkpoints without news since what is held was summed afresh.
    checkpoints_unsummed: u32,
}

/// How far what is held is to be mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Doubt {
    /// All digests agreed.
    #[default]
    None,
    /// A digest disagreed: the ranges are to be compared.
    Compare,
    /// One disagreed after that too: everything is to come anew.
    Everything,
}

/// A point in a datastore's history that the consumer has reached.
#[derive(Clone, Copy, Debug)]
struct Held {
    datastore_id: u64,
    revision: Version,
}

/// What `Begin` said.
#[derive(Clone, Copy, Debug)]
struct Stream {
    /// Snapshot or repair until its checkpoint, resume from then on.
    way: Way,
    datastore_id: u64,
    /// Checkpoints of a snapshot so far that were older than what is held.
    older_checkpoints: u32,
}

/// What a stream's entries are until its next checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Everything there is.
    Snapshot,
    /// What changed.
    Resume,
    /// Everything in these ranges, and what changed in others.
    Repair(RangeSet),
}

/// What one batch amounts to, in the order of the fields.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// The stream starts, or starts over.
    pub(super) begun: Option<Begun>,
    /// A checkpoint was good.
    pub(super) cut: Option<Cut>,
    /// A checkpoint came from a server that does not have the whole state itself yet; nothing was taken in.
    pub(super) server_not_in_sync: bool,
    /// The server asks the client to go.
    pub(super) go_away: Option<GoAway>,
}

/// The start of a stream.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) server: String,
    pub(super) mode: Mode,
    /// The server speaks of another datastore than the one held so far.
    pub(super) other_datastore: bool,
    /// How many ranges of what is held differ from what the server has, where it compared them.
    pub(super) differing_ranges: Option<usize>,
}

/// A consistent cut: everything up to a revision.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) revision: Version,
    pub(super) upstream_age: Duration,
    pub(super) snapshot: bool,
    /// Only what is news.
    pub(super) updates: Vec<Update>,
    /// Entries in this cut whose kind is unknown here.
    pub(super) skipped: usize,
}

impl Protocol {
    /// The datastore that the held state is of; 0 where nothing is held.
    pub(super) fn datastore_id(&self) -> u64 {
        self.held.map_or(0, |held| held.datastore_id)
    }

    /// Where the client stands: what the next subscription asks to resume from. Revision 0 where it can resume from
    /// nothing because a digest disagreed: that tells the server to look at its own state too.
    pub(super) fn position(&self) -> Option<Position> {
        if self.doubt == Doubt::Everything {
            let digest = Digest::default().to_bytes().to_vec().into();
            let ranges = Ranges::default().to_bytes().into();
            return Some(Position { datastore_id: 0, revision: 0, digest, ranges, compare: true });
        }
        let held = self.held?;
        Some(Position {
            datastore_id: held.datastore_id,
            revision: held.revision,
            digest: self.ledger.digest().to_bytes().to_vec().into(),
            ranges: self.ledger.ranges().to_bytes().into(),
            compare: self.doubt == Doubt::Compare,
        })
    }

    /// The stream said something that cannot be read: what it said before, and will say again, may be damaged too.
    pub(super) fn distrust(&mut self) {
        if self.stream.is_some() {
            self.doubt();
        }
    }

    /// The stream is gone; what it said since its last checkpoint does not count.
    pub(super) fn closed(&mut self) {
        self.stream = None;
        self.clear_pending();
    }

    /// Takes a batch in. After an error the stream is to be closed; what is held is unchanged.
    pub(super) fn on_batch(&mut self, batch: Batch) -> Result<Step, ProtocolError> {
        let result = self.step(batch);
        if let Err(error) = &result {
            if error.may_be_damage() {
                self.doubt();
            }
            self.closed();
        }
        result
    }

    /// Whether a batch leads from what is held to the state that it resumes to. Takes nothing in.
    pub(super) fn agrees(&self, batch: &Batch) -> bool {
        let (Some(held), Some(begin), Some(checkpoint)) = (self.held, &batch.begin, &batch.checkpoint) else {
            return false;
        };
        let is_of_this = begin.datastore_id == held.datastore_id && checkpoint.revision >= held.revision;
        let is_within = batch.entries.iter().all(|entry| entry.revision <= checkpoint.revision);
        let mut changes = Changes::new();
        batch.entries.iter().cloned().for_each(|entry| put(&mut changes, entry));
        let computed = self.ledger.digest_after(&changes);
        is_of_this && is_within && Digest::from_bytes(&checkpoint.digest) == Some(computed)
    }

    /// A digest disagreed, or something that may have been damaged on its way here.
    fn doubt(&mut self) {
        let is_plain_resume = self.stream.is_some_and(|stream| stream.way == Way::Resume);
        let compare = is_plain_resume && self.doubt == Doubt::None;
        self.doubt = if compare { Doubt::Compare } else { Doubt::Everything };
        self.ledger.sum_afresh();
    }

    fn step(&mut self, batch: Batch) -> Result<Step, ProtocolError> {
        let mut step = Step::default();
        if let Some(begin) = &batch.begin {
            step.begun = Some(self.begin(begin)?);
        }
        for entry in batch.entries {
            self.buffer(entry)?;
        }
        if let Some(checkpoint) = batch.checkpoint {
            step.server_not_in_sync = !checkpoint.in_sync;
            step.cut = self.checkpoint(&checkpoint)?;
        }
        step.go_away = batch.go_away;
        Ok(step)
    }

    fn begin(&mut self, begin: &Begin) -> Result<Begun, ProtocolError> {
        let (mode, way) = match begin.mode() {
            begin::Mode::Snapshot => (Mode::Snapshot, Way::Snapshot),
            begin::Mode::Resume => (Mode::Resume, Way::Resume),
            begin::Mode::Repair => {
                let ranges = RangeSet::from_bytes(&begin.ranges);
                (Mode::Resume, Way::Repair(ranges.ok_or(ProtocolError::RangesLength(begin.ranges.len()))?))
            }
            begin::Mode::Unspecified => return Err(ProtocolError::UnknownMode(begin.mode)),
        };
        let other_datastore = self.held.is_some_and(|held| held.datastore_id != begin.datastore_id);
        if mode == Mode::Resume && (self.held.is_none() || self.doubt == Doubt::Everything || other_datastore) {
            return Err(ProtocolError::UnaskedResume { datastore_id: begin.datastore_id });
        }
        self.clear_pending();
        self.stream = Some(Stream { way, datastore_id: begin.datastore_id, older_checkpoints: 0 });
        let server = begin.server.chars().filter(|c| !c.is_control()).take(MAX_SERVER_NAME_CHARS).collect();
        let differing_ranges = if let Way::Repair(ranges) = way { Some(ranges.len()) } else { None };
        Ok(Begun { server, mode, other_datastore, differing_ranges })
    }

    fn buffer(&mut self, entry: Entry) -> Result<(), ProtocolError> {
        if self.stream.is_none() {
            return Err(ProtocolError::BeforeBegin);
        }
        self.pending_bytes += bytes_of(&entry);
        if self.pending_bytes > MAX_PENDING_BYTES {
            return Err(ProtocolError::NoCheckpoint { limit_bytes: MAX_PENDING_BYTES });
        }
        put(&mut self.pending, entry);
        Ok(())
    }

    /// `None` where the server is not in sync, or its snapshot not yet as late as what is held: entries go on waiting.
    fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<Option<Cut>, ProtocolError> {
        let Some(stream) = &mut self.stream else { return Err(ProtocolError::BeforeBegin) };
        if !checkpoint.in_sync {
            return Ok(None);
        }
        let held = self.held.filter(|held| held.datastore_id == stream.datastore_id).map(|held| held.revision);
        if let Some(held) = held.filter(|held| checkpoint.revision < *held) {
            stream.older_checkpoints += 1;
            if stream.way == Way::Snapshot && stream.older_checkpoints <= PATIENCE_CHECKPOINTS {
                return Ok(None);
            }
            return Err(ProtocolError::Older { held, offered: checkpoint.revision });
        }
        let stream = *stream;
        self.check_entries(checkpoint.revision)?;
        self.check_digest(stream, checkpoint)?;
        Ok(Some(self.commit(stream, checkpoint)))
    }

    /// No entry from beyond the cut.
    fn check_entries(&self, revision: Version) -> Result<(), ProtocolError> {
        match self.pending.iter().find(|(_, change)| change.revision > revision) {
            None => Ok(()),
            Some((key, change)) => Err(ProtocolError::EntryBeyondCheckpoint {
                key: key.to_string(),
                revision: change.revision,
                checkpoint: revision,
            }),
        }
    }

    fn check_digest(&mut self, stream: Stream, checkpoint: &Checkpoint) -> Result<(), ProtocolError> {
        let told =
            Digest::from_bytes(&checkpoint.digest).ok_or(ProtocolError::DigestLength(checkpoint.digest.len()))?;
        let computed = match stream.way {
            Way::Snapshot => digest_of(&self.pending),
            Way::Resume if self.is_time_to_sum() => self.ledger.ranges().total(),
            Way::Resume => self.ledger.digest_after(&self.pending),
            Way::Repair(ranges) => self.ledger.digest_after_repair(&self.pending, ranges),
        };
        if computed == told {
            return Ok(());
        }
        Err(ProtocolError::DigestMismatch { revision: checkpoint.revision, told, computed })
    }

    /// Whether it is quiet, and damage of single records may have gone unnoticed for long: the running digest knows
    /// nothing of it.
    fn is_time_to_sum(&mut self) -> bool {
        self.checkpoints_unsummed += u32::from(self.pending.is_empty());
        let is_time = self.pending.is_empty() && self.checkpoints_unsummed >= SUM_EVERY_CHECKPOINTS;
        self.checkpoints_unsummed *= u32::from(!is_time);
        is_time
    }

    fn commit(&mut self, stream: Stream, checkpoint: &Checkpoint) -> Cut {
        let changes = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let news = match stream.way {
            Way::Snapshot => self.ledger.commit_snapshot(changes, checkpoint.revision),
            Way::Resume => self.ledger.commit(changes),
            Way::Repair(ranges) => self.ledger.commit_repair(changes, ranges, checkpoint.revision),
        };
        self.held = Some(Held { datastore_id: stream.datastore_id, revision: checkpoint.revision });
        self.doubt = Doubt::None;
        self.stream = Some(Stream { way: Way::Resume, ..stream });
        let entries = news.len();
        let updates: Vec<Update> = news.into_iter().filter_map(readable).collect();
        Cut {
            revision: checkpoint.revision,
            upstream_age: Duration::from_millis(checkpoint.upstream_age_ms),
            snapshot: stream.way == Way::Snapshot,
            skipped: entries - updates.len(),
            updates,
        }
    }

    fn clear_pending(&mut self) {
        self.pending.clear();
        self.pending_bytes = 0;
    }
}

/// What an entry takes in memory.
pub(super) fn bytes_of(entry: &Entry) -> usize {
    ENTRY_BYTES + entry.key.len() + entry.value.as_ref().map_or(0, bytes::Bytes::len)
}

/// Of what a stream says about a key the newest counts.
fn put(changes: &mut Changes, entry: Entry) {
    let revision = entry.revision;
    if changes.get(entry.key.as_str()).is_none_or(|seen| seen.revision <= revision) {
        let content = entry.value.map(|value| (EntryHash::of(&entry.key, revision, &value), value));
        changes.insert(entry.key.into_boxed_str(), Change { revision, content });
    }
}

/// An entry of a kind that this client knows. A newer server may send others; they count in the digest only.
fn readable((key, revision, value): News) -> Option<Update> {
    let key: Key = key.parse().ok()?;
    Some(Update { key, value, revision })
}

#[cfg(test)]
impl Protocol {
    /// Damages what is known of a key, if anything is, with the digest or without.
    pub(super) fn damage(&mut self, key: &str, with_digest: bool) {
        if with_digest {
            self.ledger.damage_if_held(key);
        } else if self.ledger.holds(key) {
            self.ledger.damage_silently(key);
        }
    }
}
