//! Which replica to go to, and whether there is a better one than the present. Pure: replicas, what became of attempts,
//! times and randomness come in; a place to go comes out. There is always one, as long as any replica is known.
//!
//! A replica that failed, refused or asked to leave is avoided for a while, longer each time. Where all are avoided,
//! those that live are asked first: one that has its share takes a client that all others refused, and one that was left
//! because it restarts is most likely back.

#[cfg(test)]
mod tests;
mod trouble;

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use self::trouble::Standing;
pub(super) use self::trouble::Trouble;
use super::{preference, replica::Replica};

/// A node's view of the replicas.
#[derive(Debug)]
pub(super) struct Course {
    node: Arc<str>,
    /// The node's zone, where it is known.
    zone: Option<Arc<str>>,
    /// All replicas, the preferred one first.
    order: Vec<Replica>,
    /// Those of them that are in trouble, or were not long ago.
    standings: BTreeMap<Arc<str>, Standing>,
    /// How often in a row the client was referred to others.
    referred: u32,
    /// How often in a row the client was told to come back later.
    put_off: u32,
}

/// Where to go now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heading {
    /// To this replica.
    To(Replica),
    /// Nowhere before this: all replicas asked to be left alone until then.
    WaitUntil(Instant),
    /// No replica is known.
    Lost,
}

impl Course {
    pub(super) fn new(node: &str, zone: Option<Arc<str>>) -> Self {
        let (order, standings) = (Vec::new(), BTreeMap::new());
        Self { node: node.into(), zone, order, standings, referred: 0, put_off: 0 }
    }

    /// These are the replicas now. What was learnt of those that remain is kept.
    pub(super) fn learn(&mut self, replicas: &[Replica]) {
        self.order = preference::in_order(&self.node, self.zone.as_deref(), replicas);
        self.standings.retain(|address, _| replicas.iter().any(|replica| replica.address == *address));
    }

    /// All replicas, the preferred one first.
    pub(super) fn order(&self) -> &[Replica] {
        &self.order
    }

    /// The place of a replica in the node's order, counted from 1; none where it is not known any more.
    pub(super) fn rank(&self, address: &str) -> Option<usize> {
        self.order.iter().position(|replica| &*replica.address == address).map(|before| before + 1)
    }

    /// The replica at an address.
    pub(super) fn replica(&self, address: &str) -> Option<&Replica> {
        self.order.iter().find(|replica| &*replica.address == address)
    }

    /// Where a client without a stream goes.
    pub(super) fn heading(&self, now: Instant) -> Heading {
        if let Some(replica) = self.order.iter().find(|replica| !self.is_avoided(replica, now)) {
            return Heading::To(replica.clone());
        }
        // Not `Iterator::min_by_key` of times alone: one that is full serves, one that failed most likely does not.
        match self.standing().min_by_key(|(standing, _)| standing.last_resort()) {
            None => Heading::Lost,
            Some((standing, _)) if standing.is_closed() => Heading::WaitUntil(standing.until),
            Some((_, replica)) => Heading::To(replica.clone()),
        }
    }

    /// Those in trouble.
    fn standing(&self) -> impl Iterator<Item = (&Standing, &Replica)> {
        self.order.iter().filter_map(|replica| Some((self.standings.get(&replica.address)?, replica)))
    }

    /// A better place for a client that has a stream from `here`. Any other is better than one that is to be left, or
    /// is not known any more.
    pub(super) fn better(&self, here: &str, now: Instant) -> Option<&Replica> {
        self.rivals(here, now).find(|replica| !self.is_avoided(replica, now))
    }

    /// A place for a client that has to leave `here`: one that is avoided rather than none, the one first that was in
    /// trouble longest ago. Many are back before their time, and an attempt in vain costs less than a gap.
    pub(super) fn elsewhere(&self, here: &str, now: Instant) -> Option<&Replica> {
        let avoided = self.standing().filter(|(standing, other)| standing.is_worth_asking() && *other.address != *here);
        let resort = || avoided.min_by_key(|(standing, _)| standing.at).map(|(_, replica)| replica);
        self.better(here, now).or_else(resort)
    }

    /// When to look for a better place again, because one that is avoided now will not be any more.
    pub(super) fn look_again_at(&self, here: &str, now: Instant) -> Option<Instant> {
        let avoided = self.rivals(here, now).filter_map(|replica| self.standings.get(&replica.address));
        let own = self.standings.get(here).filter(|standing| standing.is_leaving());
        avoided.chain(own).map(|standing| standing.until).filter(|until| *until > now).min()
    }

    /// Those that are worth more than `here`.
    fn rivals(&self, here: &str, now: Instant) -> impl Iterator<Item = &Replica> {
        let is_to_be_left = self.standings.get(here).is_some_and(|own| own.is_leaving() && own.until > now);
        let rank = self.rank(here).filter(|_| !is_to_be_left).unwrap_or(usize::MAX);
        let here: Arc<str> = here.into();
        self.order.iter().take(rank).filter(move |replica| replica.address != here)
    }

    /// An attempt or a stream ended badly. `random` lies in `0.0..1.0`.
    pub(super) fn trouble(&mut self, address: &Arc<str>, trouble: Trouble, now: Instant, random: f64) {
        match trouble {
            Trouble::Full => self.referred = self.referred.saturating_add(1),
            Trouble::Busy { .. } => self.put_off = self.put_off.saturating_add(1),
            _ => {}
        }
        let before = self.standings.get(address);
        let standing = Standing::after(before, trouble, now, random);
        self.standings.insert(Arc::clone(address), standing);
    }

    /// A replica serves, and may be stayed with.
    pub(super) fn good(&mut self, address: &str) {
        self.standings.remove(address);
        (self.referred, self.put_off) = (0, 0);
    }

    /// How many replicas the client could go to, for the share of each.
    pub(super) fn usable(&self, now: Instant) -> u32 {
        let serves = |replica: &&Replica| {
            let standing = self.standings.get(&replica.address).filter(|standing| standing.until > now);
            !replica.is_spare && standing.is_none_or(Standing::is_serving)
        };
        u32::try_from(self.order.iter().filter(serves).count()).unwrap_or(u32::MAX)
    }

    /// How often in a row the client was referred to others.
    pub(super) fn referred(&self) -> u32 {
        self.referred
    }

    /// How often in a row the client was told to come back later.
    pub(super) fn put_off(&self) -> u32 {
        self.put_off
    }

    fn is_avoided(&self, replica: &Replica, now: Instant) -> bool {
        self.standings.get(&replica.address).is_some_and(|standing| standing.until > now)
    }
}
