//! Whether the state in memory is still what was written there: bits flip, and defects write where they should not.
//!
//! A round looks at one view, a slice at a time, so that whoever runs it can do other things in between: every entry's
//! bytes against its key, its revision and its hash, the index against the entries, the sums against the hashes.

use std::{ops::Bound, sync::Arc};

use model::{
    Key,
    digest::{Digest, EntryHash, RangeSet, Ranges, range_of},
};
use prost::Message as _;
use proto::sync::v1 as wire;

use super::{Entry, View, view::Place};

/// Entries whose bytes one slice looks at. Each takes some two microseconds, so that nothing else waits longer than a few
/// milliseconds for a slice.
const EXAMINED: usize = 1000;

/// Entries that one slice passes by at most; these are only summed.
const PASSED: usize = 16 * EXAMINED;

/// A round over one view.
pub struct Audit {
    view: View,
    /// Entries up to this key are done with.
    after: Arc<str>,
    /// The ranges whose entries are examined; all entries are summed.
    ranges: RangeSet,
    /// Of the entries so far.
    sums: Sums,
    /// Whether an entry was damaged: then the sums prove nothing.
    is_damaged: bool,
}

/// What entries add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    ranges: Ranges,
    keys: usize,
    state_bytes: usize,
    /// Tombstones included.
    entries: usize,
}

/// An entry that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The key as the map has it.
    pub key: Arc<str>,
    /// Its range.
    pub range: u8,
    /// What does not agree.
    pub what: &'static str,
    /// The keys that it may have been; none where nothing of it can be read as one.
    pub candidates: Vec<Key>,
}

/// What a slice found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Entries that are not what they were.
    pub damaged: Vec<Damage>,
    /// Whether the round ends here, and what the sums say then.
    pub end: Option<End>,
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All is as it was written, but for entries that were named.
    Done,
    /// All entries are whole, but digests, counts or the index do not agree with them.
    SumsDiffer,
}

impl Audit {
    /// A round that examines the entries of some ranges.
    pub fn start(view: View, ranges: RangeSet) -> Self {
        Self { view, after: "".into(), ranges, sums: Sums::default(), is_damaged: false }
    }

    /// Goes on for one slice.
    pub fn slice(&mut self) -> Slice {
        let Self { view, after, ranges, sums, is_damaged } = self;
        let (mut slice, mut examined, mut passed) = (Slice::default(), 0, 0);
        let mut rest = view.entries.range::<_, str>((Bound::Excluded(&**after), Bound::Unbounded));
        let mut last = None;
        while examined < EXAMINED && passed < PASSED {
            // Where a key was damaged, the order is, and the way through the map may lead in circles.
            let next = rest.next().filter(|_| sums.entries <= view.entries.len());
            let Some((key, entry)) = next else {
                slice.end = Some(if *is_damaged || sums.agree_with(view) { End::Done } else { End::SumsDiffer });
                return slice;
            };
            passed += 1;
            sums.add(entry);
            if ranges.contains(entry.range()) {
                examined += 1;
                if let Err(what) = examine(view, key, entry) {
                    *is_damaged = true;
                    slice.damaged.push(Damage::of(key, entry, what));
                }
            }
            last = Some(key);
        }
        if let Some(key) = last {
            *after = Arc::clone(key);
        }
        slice
    }
}

impl Sums {
    fn add(&mut self, entry: &Entry) {
        self.entries += 1;
        if !entry.is_tombstone() {
            self.keys += 1;
            self.state_bytes += entry.encoded().len();
            self.ranges.add(entry.range(), entry.hash());
        }
    }

    fn agree_with(&self, view: &View) -> bool {
        let told = (view.digest, view.keys, view.state_bytes, view.entries.len(), view.index.len());
        let found: (Digest, _, _, _, _) =
            (self.ranges.total(), self.keys, self.state_bytes, self.entries, self.entries);
        told == found && view.ranges == self.ranges
    }
}

impl Damage {
    fn of(key: &Arc<str>, entry: &Entry, what: &'static str) -> Self {
        let mut candidates: Vec<Key> = [key.parse(), entry.key().parse()].into_iter().flatten().collect();
        candidates.extend(decode(entry).and_then(|element| element.key.parse().ok()));
        candidates.sort();
        candidates.dedup();
        Self { key: Arc::clone(key), range: range_of(key), what, candidates }
    }
}

/// Compares everything that is known of an entry.
fn examine(view: &View, key: &Arc<str>, entry: &Arc<Entry>) -> Result<(), &'static str> {
    let element = decode(entry).ok_or("its bytes are no entry")?;
    let is_same_key = *element.key == **key && **key == **entry.key();
    let value = element.value.as_deref();
    let checks = [
        (is_same_key, "its key"),
        (element.revision == entry.revision(), "its revision"),
        (value.is_none() == entry.is_tombstone(), "whether it exists"),
        (EntryHash::of(key, entry.revision(), value.unwrap_or_default()) == entry.hash(), "its bytes or its hash"),
        (range_of(key) == entry.range(), "its range"),
        (
            view.index.get(&Place::of(entry)).is_some_and(|indexed| Arc::ptr_eq(indexed, entry)),
            "its place in the index",
        ),
    ];
    checks.into_iter().find(|(is_so, _)| !is_so).map_or(Ok(()), |(_, what)| Err(what))
}

fn decode(entry: &Entry) -> Option<wire::Entry> {
    let mut elements = wire::Batch::decode(entry.encoded()).ok()?.entries;
    let element = elements.pop()?;
    elements.is_empty().then_some(element)
}

#[cfg(test)]
mod tests;
