//! Routes and the interfaces they lead to, by rtnetlink; settings of workloads' interfaces.
//!
//! Ours are the routes of table main with our protocol number. No rule is known here.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod link;
mod message;
mod namespace;
mod refused;
mod setting;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use ipnet::IpNet;
use model::intent::RouteIntent;
use netlink_sys::protocols::NETLINK_ROUTE;

use self::{
    link::Links,
    namespace::Namespace,
    setting::Settings,
    table::{Actual, Route},
};
use crate::{Applied, Error, Failure, Object, netlink::Socket};

pub(crate) use self::link::Monitor;

/// The protocol number of our routes: free in iproute2's list, and another one than Felix's 80, BIRD's 12 or the
/// kernel's 2. `ip route show proto 202` lists them.
pub const ROUTE_PROTOCOL: u8 = 202;

/// The owner of our routes.
pub(crate) struct Routes {
    socket: Socket,
    links: Links,
    actual: Actual,
    settings: Settings,
    failures: BTreeMap<IpNet, String>,
    waiting: BTreeSet<Arc<str>>,
}

impl Routes {
    pub(crate) fn open() -> Result<Self, Error> {
        Ok(Self {
            socket: Socket::open(NETLINK_ROUTE).map_err(Error::Open)?,
            links: Links::default(),
            actual: Actual::default(),
            settings: Settings::new(Namespace::current().map_err(Error::Open)?),
            failures: BTreeMap::new(),
            waiting: BTreeSet::new(),
        })
    }

    /// Learns which interfaces there are.
    pub(crate) fn list_links(&mut self) -> Result<(), Error> {
        let read = |source| Error::Read { what: "the list of interfaces", source };
        self.links = Links::read(&mut self.socket).map_err(read)?;
        Ok(())
    }

    /// The interface that has an address.
    pub(crate) fn interface_of(&self, address: IpAddr) -> Option<Arc<str>> {
        self.links.interface_of(address)
    }

    /// Whether an earlier apply left something undone.
    pub(crate) fn has_failures(&self) -> bool {
        !self.failures.is_empty() || self.settings.has_failures()
    }

    /// Makes the kernel's routes what is desired. Where interfaces changed, the kernel may have removed routes by
    /// itself, and they are read again.
    pub(crate) fn apply(
        &mut self,
        intent: &BTreeMap<IpNet, RouteIntent>,
        workloads: &BTreeSet<Arc<str>>,
        must_read: bool,
        applied: &mut Applied,
    ) -> Result<(), Error> {
        self.waiting = workloads.iter().filter(|name| !self.links.is_up(name)).cloned().collect();
        self.settings.apply(workloads, &self.links);
        if must_read {
            let read = |source| Error::Read { what: "our routes", source };
            self.actual = Actual::read(&mut self.socket).map_err(read)?;
        }
        let desired = self.desired(intent);
        self.failures.clear();
        let send = |source| Error::Send { what: "routes", source };
        let mut refusals = BTreeMap::new();
        applied.route_changes = self.actual.become_desired(&mut self.socket, &desired, &mut refusals).map_err(send)?;
        let explain = |(net, refusal)| (net, refused::explain(net, intent.get(&net), &refusal));
        self.failures = refusals.into_iter().map(explain).collect();
        Ok(())
    }

    /// Adds to `applied` what is not as asked.
    pub(crate) fn report(&self, applied: &mut Applied) {
        applied.waiting.extend(self.waiting.iter().cloned());
        for (net, reason) in &self.failures {
            applied.failures.push(Failure { object: Object::Route(*net), reason: reason.clone() });
        }
        for (interface, reason) in self.settings.failures() {
            applied.failures.push(Failure { object: Object::Interface(interface.to_string()), reason: reason.clone() });
        }
    }

    /// Routes to interfaces that are not up wait until they are: the kernel would refuse them.
    fn desired(&mut self, intent: &BTreeMap<IpNet, RouteIntent>) -> BTreeMap<IpNet, Route> {
        let mut desired = BTreeMap::new();
        for (net, route) in intent {
            let route = match route {
                RouteIntent::LocalWorkload { interface } => {
                    let Some(index) = self.links.up_index(interface) else {
                        self.waiting.insert(interface.clone());
                        continue;
                    };
                    Route::Link { index }
                }
                RouteIntent::RemoteNode { next_hop, .. } => Route::Via { next_hop: *next_hop },
                RouteIntent::Blackhole => Route::Blackhole,
            };
            desired.insert(net.trunc(), route);
        }
        desired
    }
}
