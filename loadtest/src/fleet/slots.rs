//! One bit for each slot.

const BITS: u32 = u64::BITS;

/// Bits by slot.
pub(super) struct Slots(Box<[u64]>);

impl Slots {
    /// All bits set.
    pub(super) fn all(slots: u32) -> Self {
        Self(vec![u64::MAX; slots.div_ceil(BITS) as usize].into())
    }

    /// The bit of a slot.
    pub(super) fn get(&self, slot: u32) -> bool {
        self.0[(slot / BITS) as usize] & (1 << (slot % BITS)) != 0
    }

    /// Changes the bit of a slot.
    pub(super) fn set(&mut self, slot: u32, is_set: bool) {
        let word = &mut self.0[(slot / BITS) as usize];
        let bit = 1 << (slot % BITS);
        *word = if is_set { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_of_its_slot_alone() {
        let mut slots = Slots::all(130);
        slots.set(64, false);
        slots.set(129, false);
        slots.set(129, true);
        let unset: Vec<u32> = (0..130).filter(|slot| !slots.get(*slot)).collect();
        assert_eq!(unset, [64]);
    }
}
