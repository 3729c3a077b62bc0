//! Which interface leads to which endpoint: the verdict maps, the addresses that workloads may use, and the ways to
//! host endpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use model::intent::{Attachment, EndpointId, EndpointIntent};

use super::{Direction, Fragment, base::link_messages, name};
use crate::{
    Config, Object,
    ruleset::{Chain, Element, Family, Name, Rule, Schema, Set, Statement, Verdict, Way},
};

/// The kernel's limit, without the zero at the end.
const INTERFACE_NAME_MAX_BYTES: usize = 15;

/// Which endpoint has which interface, and which endpoints have none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    workloads: BTreeMap<Arc<str>, EndpointId>,
    hosts: BTreeMap<Arc<str>, EndpointId>,
    /// The host endpoint of every interface that has no endpoint of its own.
    any_host: Option<EndpointId>,
    pub(crate) failures: BTreeMap<EndpointId, String>,
}

impl Claims {
    /// Settles who has which interface. Where several want one, the first by name has it. `interface_of` finds the
    /// interface that has an address.
    pub(crate) fn settle(
        endpoints: &BTreeMap<EndpointId, Arc<EndpointIntent>>,
        config: &Config,
        interface_of: impl Fn(IpAddr) -> Option<Arc<str>>,
    ) -> Self {
        let mut claims = Self::default();
        for (id, endpoint) in endpoints {
            let settled = match &endpoint.attachment {
                Attachment::Workload { interface, .. } => claims.claim_workload(id, interface, config),
                Attachment::Host { interface: Some(interface), .. } => claims.claim_host(id, interface, config),
                Attachment::Host { interface: None, expected_addresses } if expected_addresses.is_empty() => {
                    claims.claim_every_host_interface(id)
                }
                // Found by address below: those that are named come first.
                Attachment::Host { .. } => Ok(()),
            };
            claims.note(id, settled);
        }
        for (id, endpoint) in endpoints {
            let Attachment::Host { interface: None, expected_addresses } = &endpoint.attachment else { continue };
            if let Some(interface) = expected_addresses.iter().find_map(|address| interface_of(*address)) {
                let settled = claims.claim_host(id, &interface, config);
                claims.note(id, settled);
            }
        }
        claims
    }

    /// Interfaces that workloads have.
    pub(crate) fn workload_interfaces(&self) -> impl Iterator<Item = &Arc<str>> {
        self.workloads.keys()
    }

    fn claim_workload(&mut self, id: &EndpointId, interface: &Arc<str>, config: &Config) -> Result<(), String> {
        if !is_workloads(interface, config) || interface.len() > INTERFACE_NAME_MAX_BYTES {
            let prefixes = config.workload_interface_prefixes.join(" or ");
            return Err(format!(
                "interface {interface} must begin with {prefixes} and have at most {INTERFACE_NAME_MAX_BYTES} bytes"
            ));
        }
        claim(&mut self.workloads, interface, id)
    }

    fn claim_host(&mut self, id: &EndpointId, interface: &Arc<str>, config: &Config) -> Result<(), String> {
        if is_workloads(interface, config) || interface.len() > INTERFACE_NAME_MAX_BYTES {
            return Err(format!("interface {interface} is a workload's or has too long a name"));
        }
        claim(&mut self.hosts, interface, id)
    }

    fn claim_every_host_interface(&mut self, id: &EndpointId) -> Result<(), String> {
        if let Some(other) = &self.any_host {
            return Err(format!("every interface of the host belongs to {other} already"));
        }
        self.any_host = Some(id.clone());
        Ok(())
    }

    fn note(&mut self, id: &EndpointId, settled: Result<(), String>) {
        if let Err(reason) = settled {
            self.failures.insert(id.clone(), reason);
        }
    }
}

fn is_workloads(interface: &str, config: &Config) -> bool {
    config.workload_interface_prefixes.iter().any(|prefix| interface.starts_with(prefix.as_str()))
}

fn claim(taken: &mut BTreeMap<Arc<str>, EndpointId>, interface: &Arc<str>, id: &EndpointId) -> Result<(), String> {
    if let Some(other) = taken.get(interface) {
        return Err(format!("interface {interface} belongs to {other} already"));
    }
    taken.insert(interface.clone(), id.clone());
    Ok(())
}

/// Renders the maps and the ways to host endpoints.
pub(crate) fn dispatch(
    endpoints: &BTreeMap<EndpointId, Arc<EndpointIntent>>,
    claims: &Claims,
    config: &Config,
) -> Fragment {
    let mut fragment = Fragment::default();
    for direction in [Direction::Ingress, Direction::Egress] {
        let workloads = map(endpoints, &claims.workloads, direction);
        fragment.sets.insert(name::workload_map(direction), workloads);
        fragment.sets.insert(name::host_map(direction), map(endpoints, &claims.hosts, direction));
        let (chain, way) = match direction {
            Direction::Ingress => (name::HOST_INGRESS, Way::In),
            Direction::Egress => (name::HOST_EGRESS, Way::Out),
        };
        let any = claims.any_host.as_ref().and_then(|id| {
            let endpoint = endpoints.get(id)?;
            Some(name::endpoint_chain(id, endpoint, direction))
        });
        fragment
            .chains
            .insert(chain.into(), Chain::regular(Object::Table, host_rules(config, direction, way, claims, any)));
    }
    for family in [Family::V4, Family::V6] {
        fragment.sets.insert(name::source_set(family), sources(endpoints, &claims.workloads, family));
    }
    fragment
}

/// The loopback interface is nobody's but by name: what a host says to itself crosses no border. Where there is no
/// host endpoint, the host's packets are left alone, their marks too.
fn host_rules(config: &Config, direction: Direction, way: Way, claims: &Claims, any: Option<Name>) -> Vec<Rule> {
    if claims.hosts.is_empty() && any.is_none() {
        return Vec::new();
    }
    let map = name::host_map(direction);
    let mut rules = vec![
        Rule(link_messages().into()),
        Rule(vec![Statement::ClearMark(config.accept_mark | config.pass_mark)]),
        Rule(vec![Statement::Dispatch { way, map }]),
    ];
    if let Some(chain) = any {
        rules.push(Rule(vec![Statement::Interface { way, name: "lo".into() }, Statement::Verdict(Verdict::Return)]));
        rules.push(Rule::always(Verdict::Goto(chain)));
    }
    rules
}

fn map(
    endpoints: &BTreeMap<EndpointId, Arc<EndpointIntent>>,
    claimed: &BTreeMap<Arc<str>, EndpointId>,
    direction: Direction,
) -> Set {
    let elements = claimed.iter().filter_map(|(interface, id)| {
        let chain = name::endpoint_chain(id, endpoints.get(id)?, direction);
        Some(Element::Dispatch(interface.clone(), Verdict::Goto(chain)))
    });
    Set::new(Object::Table, Schema::Dispatch, elements)
}

fn sources(
    endpoints: &BTreeMap<EndpointId, Arc<EndpointIntent>>,
    claimed: &BTreeMap<Arc<str>, EndpointId>,
    family: Family,
) -> Set {
    let none = BTreeSet::new();
    let elements = claimed.iter().flat_map(|(interface, id)| {
        let addresses = match endpoints.get(id).map(|endpoint| &endpoint.attachment) {
            Some(Attachment::Workload { addresses, .. }) => addresses,
            _ => &none,
        };
        let of_family = addresses.iter().filter(move |address| Family::of(**address) == family);
        of_family.map(|address| Element::InterfaceAddress(interface.clone(), *address)).collect::<Vec<_>>()
    });
    Set::new(Object::Table, Schema::InterfaceAddresses(family), elements)
}
