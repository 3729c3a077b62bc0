//! Kernel settings: forwarding, and what a workload's interface needs. The same as Calico makes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    sync::Arc,
};

use super::{link::Links, namespace::Namespace};

/// For the whole namespace: packets between workloads, and between them and other nodes, pass through the host.
const HOST: [&str; 2] = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];

/// For a workload's interface, `{}` being its name. The host answers ARP and neighbour solicitations for every
/// address at once (a workload's gateway is 169.254.1.1, which nobody has), believes no router advertisement
/// of a workload, and takes no packet whose source is routed elsewhere.
const WORKLOAD: [(&str, &str); 8] = [
    ("ipv4/conf/{}/route_localnet", "1"),
    ("ipv4/conf/{}/proxy_arp", "1"),
    ("ipv4/conf/{}/forwarding", "1"),
    ("ipv4/conf/{}/rp_filter", "1"),
    ("ipv4/neigh/{}/proxy_delay", "0"),
    ("ipv6/conf/{}/accept_ra", "0"),
    ("ipv6/conf/{}/proxy_ndp", "1"),
    ("ipv6/conf/{}/forwarding", "1"),
];

/// What failures of the whole namespace are reported against.
const EVERY_INTERFACE: &str = "*";

/// Settings made so far.
pub(super) struct Settings {
    namespace: Namespace,
    /// Interfaces that have theirs, with their number then: one that was removed and made again has another.
    done: BTreeMap<Arc<str>, u32>,
    host_is_done: bool,
    failures: BTreeMap<Arc<str>, String>,
}

impl Settings {
    pub(super) fn new(namespace: Namespace) -> Self {
        Self { namespace, done: BTreeMap::new(), host_is_done: false, failures: BTreeMap::new() }
    }

    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    pub(super) fn failures(&self) -> impl Iterator<Item = (&Arc<str>, &String)> {
        self.failures.iter()
    }

    /// Makes the settings of those interfaces that are there and have none yet.
    pub(super) fn apply(&mut self, workloads: &BTreeSet<Arc<str>>, links: &Links) {
        self.failures.clear();
        self.done.retain(|name, index| workloads.contains(name) && links.index(name) == Some(*index));
        let new: Vec<_> = workloads
            .iter()
            .filter(|name| !self.done.contains_key(*name))
            .filter_map(|name| Some((name.clone(), links.index(name)?)))
            .collect();
        if new.is_empty() && self.host_is_done {
            return;
        }
        let host_is_done = self.host_is_done;
        let failed = self.namespace.within(|| {
            let host = if host_is_done { Ok(()) } else { HOST.iter().try_for_each(|path| write(path, "1")) };
            let host = host.err().map(|reason| (Arc::from(EVERY_INTERFACE), reason));
            let each = new.iter().filter_map(|(name, _)| Some((name.clone(), write_workload(name).err()?)));
            host.into_iter().chain(each).collect::<BTreeMap<Arc<str>, String>>()
        });
        self.failures = failed.unwrap_or_else(|error| BTreeMap::from([(EVERY_INTERFACE.into(), error.to_string())]));
        self.host_is_done = !self.failures.contains_key(EVERY_INTERFACE);
        self.done.extend(new.into_iter().filter(|(name, _)| !self.failures.contains_key(name)));
    }
}

fn write_workload(interface: &str) -> Result<(), String> {
    WORKLOAD.iter().try_for_each(|(path, value)| write(&path.replace("{}", interface), value))
}

/// A kernel without IPv6, or where it is switched off, has none of its settings.
fn write(path: &str, value: &str) -> Result<(), String> {
    let file = Path::new("/proc/sys/net").join(path);
    let is_so = fs::read_to_string(&file).is_ok_and(|now| now.trim() == value);
    match if is_so { Ok(()) } else { fs::write(&file, value) } {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.starts_with("ipv6") => Ok(()),
        Err(error) => Err(format!("cannot write {value} to {}: {error}", file.display())),
        Ok(()) => Ok(()),
    }
}
