//! One thing to fuzz.

use std::fmt;

/// A function of bytes that must neither panic nor take long, whatever they are.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called on command lines, and its corpus' folder.
    pub name: &'static str,
    /// Who sends such bytes, and to whom.
    pub sent_by: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// How many mutations the tests try: fewer where one takes long.
    pub mutations: usize,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}
