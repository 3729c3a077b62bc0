//! Damage that was planted in a replica's entries, and what becomes of each: an audit finds it and it is read again, or
//! the datastore writes the key anew first, or the process ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use typha::store::{Entry, View};

use super::{memory, point::Point, witness::Witness};

/// Nothing that was planted stays hidden for longer.
const FOUND_WITHIN: Duration = Duration::from_mins(1);

#[derive(Default)]
pub(super) struct Plants {
    /// Nobody knows of these.
    hidden: Vec<Plant>,
    /// Found, and not whole again.
    found: u64,
}

struct Plant {
    entry: Arc<Entry>,
    since: Instant,
}

impl Plants {
    /// A bit flips in one of these entries, if there are any that are whole.
    pub(super) fn plant(
        &mut self,
        entries: &[Arc<Entry>],
        random: &mut fastrand::Rng,
        now: Instant,
        witness: &mut Witness,
    ) {
        let is_whole = |entry: &&Arc<Entry>| !self.hidden.iter().any(|plant| Arc::ptr_eq(&plant.entry, entry));
        let whole: Vec<_> = entries.iter().filter(is_whole).collect();
        let Some(entry) = whole.get(random.usize(..whole.len().max(1))) else { return };
        memory::flip(&entry.encoded()[random.usize(..entry.encoded().len())]);
        self.hidden.push(Plant { entry: Arc::clone(entry), since: now });
        witness.damage.planted += 1;
        witness.hit(Point::EntryDamaged);
    }

    /// Entries may have been written anew.
    pub(super) fn written(&mut self, view: &View, witness: &mut Witness) {
        witness.damage.written_over += self.take_gone(view).len() as u64;
    }

    /// An audit found so many damaged entries, and they are not in the view any more.
    pub(super) fn audited(&mut self, view: &View, damaged: u64, now: Instant, witness: &mut Witness) {
        let found = self.take_gone(view);
        assert_eq!(found.len() as u64, damaged, "an audit finds what was planted and nothing else");
        self.found += damaged;
        for plant in found {
            let after = now.saturating_duration_since(plant.since);
            assert!(after <= FOUND_WITHIN, "damage was found after {after:?} only");
            witness.damage.slowest = witness.damage.slowest.max(after);
        }
    }

    /// The state is whole.
    pub(super) fn repaired(&mut self, witness: &mut Witness) {
        witness.damage.repaired += std::mem::take(&mut self.found);
    }

    /// The process ends.
    pub(super) fn ended(&mut self, witness: &mut Witness) {
        witness.damage.ended += self.hidden.len() as u64 + self.found;
        *self = Self::default();
    }

    fn take_gone(&mut self, view: &View) -> Vec<Plant> {
        let is_there =
            |plant: &mut Plant| view.get(plant.entry.key()).is_some_and(|entry| Arc::ptr_eq(entry, &plant.entry));
        self.hidden.extract_if(.., |plant| !is_there(plant)).collect()
    }
}
