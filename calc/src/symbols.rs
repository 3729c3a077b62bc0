//! Texts that occur many times, kept once and counted: label names and values, node names, port names.
//!
//! Not a cache: a symbol lives exactly as long as someone holds it, so churning pods leave nothing behind.

use std::{collections::HashMap, sync::Arc};

/// A text's number. Meaningless without its [`Symbols`] and after its last release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Symbol(u32);

/// The texts in use.
#[derive(Default)]
pub(crate) struct Symbols {
    by_text: HashMap<Arc<str>, Symbol>,
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
        if let Some(&symbol) = self.by_text.get(text) {
            self.slots[symbol.0 as usize].holders += 1;
            return symbol;
        }
        let text: Arc<str> = text.into();
        let slot = Slot { text: text.clone(), holders: 1 };
        let symbol = if let Some(symbol) = self.free.pop() {
            self.slots[symbol.0 as usize] = slot;
            symbol
        } else {
            self.slots.push(slot);
            Symbol(self.slots.len() as u32 - 1)
        };
        self.by_text.insert(text, symbol);
        symbol
    }

    /// Gives back one hold.
    pub(crate) fn release(&mut self, symbol: Symbol) {
        let slot = &mut self.slots[symbol.0 as usize];
        slot.holders -= 1;
        if slot.holders == 0 {
            self.by_text.remove(&slot.text);
            slot.text = "".into();
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
