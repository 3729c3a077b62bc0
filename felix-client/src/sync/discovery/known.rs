//! What is known of the replicas behind the entries of the list: answers in, a set of replicas out. Pure.
//!
//! The set does not depend on the order of entries or of answers. No answer takes nothing away, and an answer that lacks
//! an address takes it away only when others lacked it too: some servers give out a few addresses of many at a time.

use std::{
    collections::{BTreeMap, btree_map::Entry as Place},
    net::SocketAddr,
    sync::Arc,
};

use super::{super::replica::Replica, entry::Entry};

/// An address that is missing from this many answers in a row is gone. About a minute: a replica that left in order told
/// its clients, and one that died is avoided as soon as it is tried.
const MISSED_ANSWERS: u32 = 3;

/// The entries, with what was answered for each.
#[derive(Debug)]
pub(super) struct Known {
    entries: Vec<Behind>,
}

/// What is behind one entry.
#[derive(Debug)]
struct Behind {
    entry: Entry,
    /// The addresses that a name has, each with the number of answers in a row that lacked it.
    addresses: BTreeMap<SocketAddr, u32>,
    /// Whether addresses of IPv6 are preferred: those of the family that came first, as long as there are any. The
    /// system's resolver puts the better family first (RFC 6724).
    prefers_v6: Option<bool>,
}

impl Known {
    pub(super) fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let behind = |entry| Behind { entry, addresses: BTreeMap::new(), prefers_v6: None };
        Self { entries: entries.into_iter().map(behind).collect() }
    }

    /// The names to look up, `host:port`, with their numbers.
    pub(super) fn names(&self) -> Vec<(usize, Arc<str>)> {
        let names = self.entries.iter().enumerate().filter(|(_, behind)| behind.entry.is_name);
        names.map(|(number, behind)| (number, Arc::clone(&behind.entry.address))).collect()
    }

    /// A name of this number has these addresses.
    pub(super) fn answered(&mut self, number: usize, addresses: &[SocketAddr]) {
        let (Some(behind), Some(first)) = (self.entries.get_mut(number), addresses.first()) else { return };
        for (address, missed) in &mut behind.addresses {
            *missed = if addresses.contains(address) { 0 } else { *missed + 1 };
        }
        behind.addresses.retain(|_, missed| *missed < MISSED_ANSWERS);
        behind.addresses.extend(addresses.iter().map(|address| (*address, 0)));
        let has_preferred = behind.addresses.keys().any(|address| Some(address.is_ipv6()) == behind.prefers_v6);
        if !has_preferred {
            behind.prefers_v6 = Some(first.is_ipv6());
        }
    }

    /// All replicas by address, each once.
    pub(super) fn replicas(&self) -> Vec<Replica> {
        let mut by_address: BTreeMap<Arc<str>, Replica> = BTreeMap::new();
        for replica in self.entries.iter().flat_map(Behind::replicas) {
            match by_address.entry(Arc::clone(&replica.address)) {
                Place::Vacant(place) => _ = place.insert(replica),
                Place::Occupied(mut place) if says_more(&replica, place.get()) => _ = place.insert(replica),
                Place::Occupied(_) => {}
            }
        }
        by_address.into_values().collect()
    }
}

impl Behind {
    fn replicas(&self) -> impl Iterator<Item = Replica> {
        let literal = (!self.entry.is_name).then(|| self.replica(Arc::clone(&self.entry.address), false));
        let looked_up = self.addresses.keys().map(|address| {
            let is_spare = Some(address.is_ipv6()) != self.prefers_v6;
            self.replica(address.to_string().into(), is_spare)
        });
        literal.into_iter().chain(looked_up)
    }

    fn replica(&self, address: Arc<str>, is_spare: bool) -> Replica {
        let Entry { address: found_by, zone, .. } = &self.entry;
        Replica { address, zone: zone.clone(), found_by: Arc::clone(found_by), is_spare }
    }
}

/// Which of two entries for one address counts: the one with a zone, then the one that does not call it a spare. The
/// names decide only so that the order of entries does not.
fn says_more(new: &Replica, old: &Replica) -> bool {
    let worth = |replica: &Replica| {
        (replica.zone.is_none(), replica.is_spare, Arc::clone(&replica.found_by), replica.zone.clone())
    };
    worth(new) < worth(old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(entries: &[&str]) -> Known {
        Known::new(entries.iter().map(|text| Entry::read(text)))
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Addresses, spare ones in brackets, with zones.
    fn shown(known: &Known) -> Vec<String> {
        let shown = |Replica { address, zone, is_spare, .. }: Replica| {
            let zone = zone.map(|zone| format!("#{zone}")).unwrap_or_default();
            if is_spare { format!("({address}{zone})") } else { format!("{address}{zone}") }
        };
        known.replicas().into_iter().map(shown).collect()
    }

    #[test]
    fn a_name_with_many_addresses_is_that_many_replicas_whatever_the_order() {
        let mut forth = known(&["typha:5473", "10.0.0.9:5473"]);
        forth.answered(0, &addresses(&["10.0.0.1:5473", "10.0.0.2:5473"]));
        let mut back = known(&["10.0.0.9:5473", "typha:5473"]);
        back.answered(1, &addresses(&["10.0.0.2:5473", "10.0.0.1:5473"]));
        assert_eq!(shown(&forth), ["10.0.0.1:5473", "10.0.0.2:5473", "10.0.0.9:5473"]);
        assert_eq!(forth.replicas(), back.replicas());
    }

    #[test]
    fn an_address_goes_when_answers_lack_it_again_and_again_and_no_answer_takes_nothing() {
        let mut known = known(&["typha:5473"]);
        known.answered(0, &addresses(&["10.0.0.1:1", "10.0.0.2:1"]));
        for _ in 0..10 {
            known.answered(0, &[]);
        }
        known.answered(0, &addresses(&["10.0.0.1:1"]));
        known.answered(0, &addresses(&["10.0.0.1:1"]));
        assert_eq!(shown(&known), ["10.0.0.1:1", "10.0.0.2:1"]);
        known.answered(0, &addresses(&["10.0.0.2:1", "10.0.0.3:1"]));
        for _ in 1..MISSED_ANSWERS {
            known.answered(0, &addresses(&["10.0.0.2:1", "10.0.0.3:1"]));
        }
        assert_eq!(shown(&known), ["10.0.0.2:1", "10.0.0.3:1"]);
    }

    #[test]
    fn the_other_family_is_spare_and_stays_so() {
        let mut known = known(&["typha:1"]);
        known.answered(0, &addresses(&["[fd00::1]:1", "10.0.0.1:1"]));
        assert_eq!(shown(&known), ["(10.0.0.1:1)", "[fd00::1]:1"]);
        known.answered(0, &addresses(&["10.0.0.1:1", "[fd00::1]:1"]));
        assert_eq!(shown(&known), ["(10.0.0.1:1)", "[fd00::1]:1"]);
        for _ in 0..MISSED_ANSWERS {
            known.answered(0, &addresses(&["10.0.0.1:1"]));
        }
        assert_eq!(shown(&known), ["10.0.0.1:1"]);
    }

    #[test]
    fn an_address_that_two_entries_have_is_one_replica_in_the_zone_that_is_named() {
        let mut known = known(&["typha:1", "typha-a:1#a"]);
        known.answered(0, &addresses(&["10.0.0.1:1", "10.0.0.2:1"]));
        known.answered(1, &addresses(&["10.0.0.2:1"]));
        assert_eq!(shown(&known), ["10.0.0.1:1", "10.0.0.2:1#a"]);
    }
}
