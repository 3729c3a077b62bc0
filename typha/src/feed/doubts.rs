//! Where sessions leave what their clients complain of, for the writer to look into.

use std::sync::{Mutex, MutexGuard, PoisonError};

use model::digest::RangeSet;
use tokio::sync::Notify;

use super::auditor::Complaint;

/// Complaints that nobody has looked into yet, merged: any number of them takes the same little memory.
#[derive(Default)]
pub struct Doubts {
    open: Mutex<Open>,
    raised: Notify,
}

#[derive(Default)]
struct Open {
    complaint: Option<Complaint>,
    /// The number of the newest complaint ever.
    newest: u64,
}

impl Doubts {
    /// A client found a digest wrong, and its state differs from ours in these ranges. The number of the complaint: it
    /// is settled when [`Integrity::settled`](super::Integrity::settled) has reached it.
    pub fn raise(&self, ranges: RangeSet) -> u64 {
        let mut open = self.open();
        open.newest += 1;
        let ranges = open.complaint.map_or(ranges, |earlier| earlier.ranges.union(ranges));
        open.complaint = Some(Complaint { ranges, number: open.newest });
        let number = open.newest;
        drop(open);
        self.raised.notify_one();
        number
    }

    /// Waits for complaints, and takes them.
    pub(super) async fn next(&self) -> Complaint {
        loop {
            if let Some(complaint) = self.open().complaint.take() {
                return complaint;
            }
            self.raised.notified().await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Numbers and bits are right whatever their holder was doing.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
