//! What became of damage that was planted in the entries of replicas and in the records of clients.

use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) planted: u64,
    /// Detected, and whole again.
    pub(super) repaired: u64,
    /// The datastore wrote the key anew before anybody looked.
    pub(super) written_over: u64,
    /// The process that had it ended first.
    pub(super) ended: u64,
    /// The longest time that an audit took to find a damaged entry.
    pub(super) slowest: Duration,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.planted += other.planted;
        self.repaired += other.repaired;
        self.written_over += other.written_over;
        self.ended += other.ended;
        self.slowest = self.slowest.max(other.slowest);
    }

    /// How much there was for somebody to detect.
    pub(super) fn lasting(&self) -> u64 {
        self.planted - self.written_over - self.ended
    }
}
