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
    /// Whether a checkpoint shall end the last message, and the datastore's age that goes into it. Rounded by the
    /// caller, so that sessions can share.
    pub checkpoint_age_ms: Option<u64>,
}

/// The batches that sessions share.
pub struct Batches {
    /// See [`MESSAGE_BYTES`].
    message_bytes: usize,
    /// See [`CACHE_BYTES`].
    cache_bytes: usize,
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
    end: End,
}

/// How a batch ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    /// More entries follow on the way to the same view. Only the last batch depends on what a session wants there.
    More,
    /// There, with a checkpoint of this age if there is one.
    Last(Option<u64>),
}

impl Default for Batches {
    fn default() -> Self {
        Self::bounded(MESSAGE_BYTES, CACHE_BYTES)
    }
}

impl Batches {
    /// Batches with other bounds than the usual ones.
    pub fn bounded(message_bytes: usize, cache_bytes: usize) -> Self {
        Self { message_bytes, cache_bytes, state: Mutex::default() }
    }

    /// The next message on the way to `view`. Who is there already gets a bare checkpoint.
    pub fn next(&self, view: &View, wanted: &Wanted) -> Batch {
        let mut state = self.lock();
        let more = Range::of(view, wanted, End::More);
        let last = Range::of(view, wanted, End::Last(wanted.checkpoint_age_ms));
        if let Some(batch) = state.made.get(&last).or_else(|| state.made.get(&more)) {
            return batch.clone();
        }
        // Made under the lock: whoever else wants it waits for it instead of making it too.
        let batch = make(view, wanted, self.message_bytes);
        let is_last = batch.next.covers(view.revision());
        state.keep(if is_last { last } else { more }, &batch, self.cache_bytes);
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
    fn keep(&mut self, range: Range, batch: &Batch, cache_bytes: usize) {
        self.bytes += batch.bytes.len();
        self.order.push_back(range.clone());
        self.made.insert(range, batch.clone());
        while self.bytes > cache_bytes
            && let Some(oldest) = self.order.pop_front()
        {
            let dropped = self.made.remove(&oldest);
            self.bytes -= dropped.map_or(0, |batch| batch.bytes.len());
        }
    }
}

impl Range {
    fn of(view: &View, wanted: &Wanted, end: End) -> Self {
        Self {
            epoch: view.epoch(),
            from: wanted.cursor.clone(),
            tombstones_after: wanted.tombstones_after,
            to: view.revision(),
            end,
        }
    }
}

fn is_recent(snapshot: &View, latest: &View) -> bool {
    let written_bytes = latest.written_bytes().saturating_sub(snapshot.written_bytes());
    snapshot.epoch() == latest.epoch()
        && snapshot.revision() >= latest.floor()
        && written_bytes <= latest.state_bytes() as u64 / SNAPSHOT_STALE_FRACTION
}

fn make(view: &View, wanted: &Wanted, message_bytes: usize) -> Batch {
    let mut entries = view.since(&wanted.cursor, wanted.tombstones_after).peekable();
    let mut taken: Vec<&Entry> = Vec::new();
    let mut length = 0;
    while let Some(entry) = entries.next_if(|entry| taken.is_empty() || length + entry.encoded().len() <= message_bytes)
    {
        length += entry.encoded().len();
        taken.push(entry);
    }
    let next = match taken.last() {
        Some(last) if entries.peek().is_some() => Cursor::past(last),
        // A client may be ahead by revisions that changed nothing; it is not told to go back.
        _ => Cursor::after(view.revision().max(wanted.cursor.complete_to())),
    };
    let age_ms = wanted.checkpoint_age_ms.filter(|_| next.covers(view.revision()));
    let checkpoint = age_ms.map(|upstream_age_ms| Checkpoint {
        revision: next.complete_to(),
        digest: Bytes::copy_from_slice(&view.digest().to_bytes()),
        upstream_age_ms,
        in_sync: true,
    });
    Batch { bytes: frame::concatenate(&taken, checkpoint), next }
}
