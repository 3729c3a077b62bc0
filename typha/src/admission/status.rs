//! What is told of admission.

use serde::Serialize;

/// What is told of admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AdmissionStatus {
    /// What may be under way to clients that need much.
    pub budget_bytes: u64,
    /// How much of it is.
    pub used_bytes: u64,
    /// How much of it ever was at a time.
    pub peak_bytes: u64,
    /// Clients that wait to resume from far behind.
    pub waiting_resumes: usize,
    /// Clients that wait for a repair.
    pub waiting_repairs: usize,
    /// Clients that wait for a snapshot.
    pub waiting_snapshots: usize,
    /// How often clients were ever given a share to resume from far behind, whether they had to wait or not.
    pub admitted_resumes: u64,
    /// The same for a repair.
    pub admitted_repairs: u64,
    /// The same for a snapshot.
    pub admitted_snapshots: u64,
    /// Clients ever told to come back later.
    pub put_off: u64,
    /// Shares ever taken from clients that did not use them.
    pub lapsed: u64,
}
