//! From a range of the index to the bytes on the wire, made once for all sessions that need them.
//!
//! A batch is a complete gRPC message frame (tonic's own encoder would copy it once per client). Sessions at the same
//! place share it as `Bytes`; a session that is alone at its place pays for its own. Each encoding is made only when
//! somebody asks for it, and then once.

mod cache;
mod compression;
mod encoding;
mod frame;
mod recent;

#[cfg(test)]
mod tests;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use model::{Version, digest::RangeSet};
use proto::sync::v1::Checkpoint;

pub(crate) use self::frame::{HEADER_BYTES, NOT_COMPRESSED};
use self::{cache::Cache, compression::Compression};
pub use self::{encoding::Encoding, frame::frame};
use crate::store::{Cursor, Entry, View};

/// How long a message may become, unless a single entry is longer. Long messages cost fewest system calls; this one is
/// well below every gRPC client's default limit of 4 MiB, and bounds what a client that stops reading holds on to.
const MESSAGE_BYTES: usize = 128 << 10;

/// How much of what was made is kept for others, in each encoding. A fleet that starts together moves through a snapshot side by side, so
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where the session stands.
    pub cursor: Cursor,
    /// Tombstones up to this revision bury nothing that the session ever saw.
    pub tombstones_after: Version,
    /// The ranges that the session needs whole; of others it has what is not newer than that. `None` for all.
    pub ranges: Option<RangeSet>,
    /// Whether a checkpoint shall end the last message, and the datastore's age that goes into it. Rounded by the
    /// caller, so that sessions can share.
    pub checkpoint_age_ms: Option<u64>,
    /// The form of the message.
    pub encoding: Encoding,
}

/// The batches that sessions share.
pub struct Batches {
    /// Tells these from other batches of the process.
    id: u64,
    /// See [`MESSAGE_BYTES`].
    message_bytes: usize,
    identity: Mutex<Cache>,
    /// Under a lock of its own: who takes messages as they are never waits for compression.
    zstd: Mutex<Zstd>,
    /// The view whose snapshot clients share at present.
    snapshot: Mutex<Option<Arc<View>>>,
}

/// The compressed batches, and what makes them.
struct Zstd {
    cache: Cache,
    compression: Compression,
}

impl Default for Batches {
    fn default() -> Self {
        Self::bounded(MESSAGE_BYTES, CACHE_BYTES)
    }
}

impl Batches {
    /// Batches with other bounds than the usual ones.
    pub fn bounded(message_bytes: usize, cache_bytes: usize) -> Self {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            message_bytes,
            identity: Mutex::new(Cache::bounded(cache_bytes)),
            zstd: Mutex::new(Zstd { cache: Cache::bounded(cache_bytes), compression: Compression::default() }),
            snapshot: Mutex::default(),
        }
    }

    /// The next message on the way to `view`. Who is there already gets a bare checkpoint.
    pub fn next(&self, view: &View, wanted: &Wanted) -> Batch {
        recent::find(self.id, view, wanted).unwrap_or_else(|| {
            let batch = self.shared(view, wanted, || make(view, wanted, self.message_bytes));
            recent::remember(self.id, view, wanted, &batch);
            batch
        })
    }

    /// What was made for any session, or else is made now.
    fn shared(&self, view: &View, wanted: &Wanted, make: impl FnOnce() -> Batch) -> Batch {
        // Made under the lock: whoever else wants it waits for it instead of making it too.
        if wanted.ranges.is_none() {
            return self.get_or_make(view, wanted, make);
        }
        // A repair looks through all of the index for what hardly anybody else wants: nobody waits for that.
        self.get(view, wanted).unwrap_or_else(|| {
            let batch = make();
            self.get_or_make(view, wanted, || batch)
        })
    }

    fn get(&self, view: &View, wanted: &Wanted) -> Option<Batch> {
        match wanted.encoding {
            Encoding::Identity => locked(&self.identity).get(view, wanted),
            Encoding::Zstd => locked(&self.zstd).cache.get(view, wanted),
        }
    }

    fn get_or_make(&self, view: &View, wanted: &Wanted, make: impl FnOnce() -> Batch) -> Batch {
        match wanted.encoding {
            Encoding::Identity => locked(&self.identity).get_or_make(view, wanted, make),
            Encoding::Zstd => {
                let Zstd { cache, compression } = &mut *locked(&self.zstd);
                cache.get_or_make(view, wanted, || {
                    let Batch { bytes, next } = make();
                    Batch { bytes: compression.compress(bytes), next }
                })
            }
        }
    }

    /// The view whose snapshot a client shall get who has nothing: one that others are getting too, if it is recent.
    pub fn snapshot(&self, latest: &Arc<View>) -> Arc<View> {
        let mut snapshot = locked(&self.snapshot);
        let recent = snapshot.take().filter(|snapshot| is_recent(snapshot, latest));
        Arc::clone(snapshot.insert(recent.unwrap_or_else(|| Arc::clone(latest))))
    }

    /// Time has passed (5 s): lets go of what was made long ago. The writer, whose beat it is, does not wait for sessions:
    /// what they are busy with keeps its batches for a beat longer.
    pub fn beat(&self) {
        if let Some(mut identity) = free(&self.identity) {
            identity.beat();
        }
        if let Some(mut zstd) = free(&self.zstd) {
            zstd.cache.beat();
        }
    }

    /// Lets go of a snapshot that is no longer recent, so that it does not keep old entries in memory.
    pub fn retire(&self, latest: &View) {
        let mut snapshot = locked(&self.snapshot);
        *snapshot = snapshot.take().filter(|snapshot| is_recent(snapshot, latest));
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is cached is right whatever its holder was doing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same if nobody holds it.
fn free<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn is_recent(snapshot: &View, latest: &View) -> bool {
    let written_bytes = latest.written_bytes().saturating_sub(snapshot.written_bytes());
    (snapshot.epoch(), snapshot.edition()) == (latest.epoch(), latest.edition())
        && snapshot.revision() >= latest.floor()
        && written_bytes <= latest.state_bytes() as u64 / SNAPSHOT_STALE_FRACTION
}

fn make(view: &View, wanted: &Wanted, message_bytes: usize) -> Batch {
    let mut entries = view.since(&wanted.cursor, wanted.tombstones_after, wanted.ranges).peekable();
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
