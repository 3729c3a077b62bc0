//! Leases: which there are and when they end. The keys bound to a lease carry its id; nothing else is known here.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::RequestError;

/// A lease.
#[derive(Clone, Copy, Debug)]
struct Lease {
    ttl: Duration,
    /// When it ends unless it is kept alive.
    deadline: Instant,
}

/// All leases.
#[derive(Debug, Default)]
pub(super) struct Leases {
    leases: BTreeMap<i64, Lease>,
}

impl Leases {
    pub(super) fn contains(&self, id: i64) -> bool {
        self.leases.contains_key(&id)
    }

    /// Adds a lease. After a restart leases begin anew, as etcd's do: nobody could keep them alive meanwhile.
    pub(super) fn grant(&mut self, id: i64, ttl: Duration, now: Instant) -> Result<(), RequestError> {
        if self.contains(id) {
            return Err(RequestError::LeaseExists);
        }
        self.leases.insert(id, Lease { ttl, deadline: now + ttl });
        Ok(())
    }

    pub(super) fn revoke(&mut self, id: i64) -> Result<(), RequestError> {
        self.leases.remove(&id).map(|_| ()).ok_or(RequestError::LeaseNotFound)
    }

    /// Lets the lease begin anew; its time to live.
    pub(super) fn keep_alive(&mut self, id: i64, now: Instant) -> Result<Duration, RequestError> {
        let lease = self.leases.get_mut(&id).ok_or(RequestError::LeaseNotFound)?;
        lease.deadline = now + lease.ttl;
        Ok(lease.ttl)
    }

    /// What is left of the lease, and what it was granted.
    pub(super) fn time_to_live(&self, id: i64, now: Instant) -> Result<(Duration, Duration), RequestError> {
        let lease = self.leases.get(&id).ok_or(RequestError::LeaseNotFound)?;
        Ok((lease.deadline.saturating_duration_since(now), lease.ttl))
    }

    /// The leases that have ended.
    pub(super) fn expired(&self, now: Instant) -> Vec<i64> {
        self.leases.iter().filter(|(_, lease)| lease.deadline <= now).map(|(id, _)| *id).collect()
    }
}
