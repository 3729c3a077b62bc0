//! What an operator writes for a replica, or for many: `host:port`, and a zone after `#`.

use std::{net::SocketAddr, sync::Arc};

/// An entry of the list of servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// `host:port`, without the zone.
    pub(super) address: Arc<str>,
    /// The zone of all replicas that the entry stands for.
    pub(super) zone: Option<Arc<str>>,
    /// Whether the host is a name, to be looked up, and not an address.
    pub(super) is_name: bool,
}

impl Entry {
    /// Reads an entry. What is neither an address nor a name is found out when it is looked up.
    pub(super) fn read(text: &str) -> Self {
        let (address, zone) = match text.split_once('#') {
            Some((address, zone)) => (address, Some(zone).filter(|zone| !zone.is_empty())),
            None => (text, None),
        };
        let is_name = address.parse::<SocketAddr>().is_err();
        Self { address: address.into(), zone: zone.map(Arc::from), is_name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_zones_are_told_apart() {
        let read = |text| {
            let Entry { address, zone, is_name } = Entry::read(text);
            (address.to_string(), zone.map(|zone| zone.to_string()), is_name)
        };
        assert_eq!(read("typha.calico-system.svc:5473"), ("typha.calico-system.svc:5473".to_owned(), None, true));
        assert_eq!(read("10.0.0.1:5473#a"), ("10.0.0.1:5473".to_owned(), Some("a".to_owned()), false));
        assert_eq!(read("[::1]:5473#"), ("[::1]:5473".to_owned(), None, false));
    }
}
