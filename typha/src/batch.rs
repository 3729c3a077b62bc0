//! From a range of the index to the bytes on the wire, made once for all sessions that need them.
//!
//! A batch is a complete gRPC message frame (tonic's own encoder would copy it once per client). Sessions at the same
//! place share it as `Bytes`; a session that is alone at its place pays for its own.

mod frame;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use model::Version;
use proto::sync::v1::Checkpoint;

pub use self::frame::frame;
pub(crate) use self::frame::{HEADER_BYTES, NOT_COMPRESSED};
use crate::store::{Cursor, Entry, View};

/// How long a message may become, unless a single entry is longer. Long messages cost fewest system calls; this one is
/// well below every gRPC client's default limit of 4 MiB, and bounds what a client that stops reading holds on to.
const MESSAGE_BYTES: usize = 128 << 10;

/// How much of what was made is kept for others. A fleet that starts together moves through a snapshot side by side, so
/// the cache need not hold all of it; what was dropped is made again.
const CACHE_BYTES: usize = 32 << 20;

/// A snapshot that clients share is replaced when more than this fraction of the state was written since.
const SNAPSHOT_STALE_FRACTION: u64 = 8;

/// A message and where a session stands after it.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The framed message.
    pub bytes: Bytes,
    /// Where the next batch begins.
    pub next: Cursor,
}

/// What a session wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the session stands.
    pub cursor: Cursor,
    /// Tombstones up to this revision bury nothing that the session ever saw.
    pub tombstones_after: Version,
    /// The datastore's age, as it goes into the checkpoint. Rounded by the caller, so that sessions can share.
    pub upstream_age_ms: u64,
}

/// The batches that sessions share.
#[derive(Default)]
pub struct Batches {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    made: HashMap<Range, Batch>,
    /// The keys of `made`, oldest first.
    order: VecDeque<Range>,
    /// What `made` takes.
    bytes: usize,
    /// The view whose snapshot clients share at present.
    snapshot: Option<Arc<View>>,
}

/// What tells one batch from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Range {
    epoch: u64,
    from: Cursor,
    tombstones_after: Version,
    to: Version,
    /// Only the last batch before `to` has a checkpoint, and only there the age matters.
    upstream_age_ms: Option<u64>,
}

impl Batches {
    /// The next message on the way to `view`. At its end, it is a bare checkpoint.
    pub fn next(&self, view: &View, wanted: &Wanted) -> Batch {
        let mut state = self.lock();
        let middle = Range::of(view, wanted, None);
        let last = Range::of(view, wanted, Some(wanted.upstream_age_ms));
        if let Some(batch) = state.made.get(&last).or_else(|| state.made.get(&middle)) {
            return batch.clone();
        }
        // Made under the lock: whoever else wants it waits for it instead of making it too.
        let batch = make(view, wanted);
        state.keep(if batch.next.covers(view.revision()) { last } else { middle }, &batch);
        batch
    }

    /// The view whose snapshot a client shall get who has nothing: one that others are getting too, if it is recent.
    pub fn snapshot(&self, latest: &Arc<View>) -> Arc<View> {
        let mut state = self.lock();
        let recent = state.snapshot.take().filter(|snapshot| is_recent(snapshot, latest));
        Arc::clone(state.snapshot.insert(recent.unwrap_or_else(|| Arc::clone(latest))))
    }

    /// Lets go of a snapshot that is no longer recent, so that it does not keep old entries in memory.
    pub fn retire(&self, latest: &View) {
        let mut state = self.lock();
        state.snapshot = state.snapshot.take().filter(|snapshot| is_recent(snapshot, latest));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // A cache is right whatever its holder was doing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, range: Range, batch: &Batch) {
        self.bytes += batch.bytes.len();
        self.order.push_back(range.clone());
        self.made.insert(range, batch.clone());
        while self.bytes > CACHE_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            let dropped = self.made.remove(&oldest);
            self.bytes -= dropped.map_or(0, |batch| batch.bytes.len());
        }
    }
}

impl Range {
    fn of(view: &View, wanted: &Wanted, upstream_age_ms: Option<u64>) -> Self {
        Self {
            epoch: view.epoch(),
            from: wanted.cursor.clone(),
            tombstones_after: wanted.tombstones_after,
            to: view.revision(),
            upstream_age_ms,
        }
    }
}

fn is_recent(snapshot: &View, latest: &View) -> bool {
    let written_bytes = latest.written_bytes().saturating_sub(snapshot.written_bytes());
    snapshot.epoch() == latest.epoch()
        && snapshot.revision() >= latest.floor()
        && written_bytes <= latest.state_bytes() as u64 / SNAPSHOT_STALE_FRACTION
}

fn make(view: &View, wanted: &Wanted) -> Batch {
    let mut entries = view.since(&wanted.cursor, wanted.tombstones_after).peekable();
    let mut taken: Vec<&Entry> = Vec::new();
    let mut length = 0;
    while let Some(entry) = entries.next_if(|entry| taken.is_empty() || length + entry.encoded().len() <= MESSAGE_BYTES)
    {
        length += entry.encoded().len();
        taken.push(entry);
    }
    let next = match taken.last() {
        Some(last) if entries.peek().is_some() => Cursor::past(last),
        // A client may be ahead by revisions that changed nothing; it is not told to go back.
        _ => Cursor::after(view.revision().max(wanted.cursor.complete_to())),
    };
    let checkpoint = next.covers(view.revision()).then(|| Checkpoint {
        revision: next.complete_to(),
        digest: Bytes::copy_from_slice(&view.digest().to_bytes()),
        upstream_age_ms: wanted.upstream_age_ms,
        in_sync: true,
    });
    Batch { bytes: frame::concatenate(&taken, checkpoint), next }
}
