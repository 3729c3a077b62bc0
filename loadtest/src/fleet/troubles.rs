//! Why streams were cut: the words that clients have for it, and how often.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Reasons that are told apart. A few replicas have a few reasons each; what comes on top of so many is counted together.
const REASONS_MAX: usize = 16;

/// The name of all further reasons.
const OTHERS: &str = "for other reasons";

/// Takes note for all clients.
#[derive(Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<String, u64>>);

impl Troubles {
    /// A stream was cut for this reason.
    pub(super) fn note(&self, reason: &str) {
        // A count is good whatever panicked beside it.
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = troubles.len() >= REASONS_MAX && !troubles.contains_key(reason);
        *troubles.entry(if is_full { OTHERS } else { reason }.to_owned()).or_default() += 1;
    }

    /// How often each was noted.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_counted_and_their_number_is_bounded() {
        let troubles = Troubles::default();
        (0..100).for_each(|number| troubles.note(&format!("reason {}", number % 50)));
        let counts = troubles.counts();
        assert_eq!((counts.len(), counts["reason 0"]), (REASONS_MAX + 1, 2));
        assert_eq!(counts.values().sum::<u64>(), 100);
    }
}
