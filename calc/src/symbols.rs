//! Texts that occur many times, kept once and counted: label names and values, node names, port names.
//!
//! Not a cache: a symbol lives exactly as long as someone holds it, so churning pods leave nothing behind.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::{DefaultHashBuilder, HashTable};

/// A text's number. Meaningless without its [`Symbols`] and after its last release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Symbol(u32);

/// The texts in use.
#[derive(Default)]
pub(crate) struct Symbols {
    by_text: HashTable<Symbol>,
    hasher: DefaultHashBuilder,
    /// Indexed by symbol.
    slots: Vec<Slot>,
    /// Slots without holders, for reuse.
    free: Vec<Symbol>,
}

struct Slot {
    text: Arc<str>,
    holders: u32,
}

impl Symbols {
    /// The symbol of a text, held once more.
    pub(crate) fn acquire(&mut self, text: &str) -> Symbol {
        let hash = self.hasher.hash_one(text);
        if let Some(&symbol) = self.by_text.find(hash, |symbol| **self.text(*symbol) == *text) {
            self.slots[symbol.0 as usize].holders += 1;
            return symbol;
        }
        let slot = Slot { text: text.into(), holders: 1 };
        let symbol = if let Some(symbol) = self.free.pop() {
            self.slots[symbol.0 as usize] = slot;
            symbol
        } else {
            self.slots.push(slot);
            Symbol(self.slots.len() as u32 - 1)
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_text.insert_unique(hash, symbol, |symbol| hasher.hash_one(&*slots[symbol.0 as usize].text));
        symbol
    }

    /// Gives back one hold.
    pub(crate) fn release(&mut self, symbol: Symbol) {
        let slot = &mut self.slots[symbol.0 as usize];
        slot.holders -= 1;
        if slot.holders == 0 {
            let text = std::mem::take(&mut slot.text);
            if let Ok(entry) = self.by_text.find_entry(self.hasher.hash_one(&*text), |other| *other == symbol) {
                entry.remove();
            }
            self.free.push(symbol);
        }
    }

    /// The text of a symbol that is held.
    pub(crate) fn text(&self, symbol: Symbol) -> &Arc<str> {
        &self.slots[symbol.0 as usize].text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_lives_as_long_as_it_is_held() {
        let mut symbols = Symbols::default();
        let first = symbols.acquire("app");
        assert_eq!(symbols.acquire("app"), first);
        symbols.release(first);
        assert_eq!(&**symbols.text(first), "app");
        symbols.release(first);
        assert!(symbols.by_text.is_empty());
        assert_eq!(symbols.acquire("other"), first, "the slot is used again");
    }
}
