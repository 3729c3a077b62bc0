//! The batch that was handed out last on this thread. A thousand sessions that wake together want the same one, one after
//! the other: this answers all but the first without a lock and without hashing.

use std::cell::RefCell;

use super::{Batch, Wanted};
use crate::store::View;

thread_local! {
    static RECENT: RefCell<Option<Recent>> = const { RefCell::new(None) };
}

/// A batch, and what must be equal for it to be the right one: all that makes one batch differ from another.
struct Recent {
    /// Whose batch it is.
    owner: u64,
    epoch: u64,
    edition: u64,
    to: u64,
    wanted: Wanted,
    batch: Batch,
}

/// The batch that was handed out last, if it is what is wanted.
pub(super) fn find(owner: u64, view: &View, wanted: &Wanted) -> Option<Batch> {
    RECENT.with_borrow(|recent| {
        let recent = recent.as_ref()?;
        let is_same = (recent.owner, recent.epoch, recent.edition, recent.to)
            == (owner, view.epoch(), view.edition(), view.revision())
            && recent.wanted == *wanted;
        is_same.then(|| recent.batch.clone())
    })
}

/// Remembers a batch instead of the one before.
pub(super) fn remember(owner: u64, view: &View, wanted: &Wanted, batch: &Batch) {
    let (epoch, edition, to) = (view.epoch(), view.edition(), view.revision());
    let recent = Recent { owner, epoch, edition, to, wanted: wanted.clone(), batch: batch.clone() };
    RECENT.set(Some(recent));
}
