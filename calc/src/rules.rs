//! From a v3 rule to a rule of intent: selectors and named ports become sets.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use model::{
    intent::{Icmp, PeerMatch, PolicyIntent, PortRange, Protocol, RuleAction, RuleIntent, SetId},
    resource::{Action, EntityRule, IcmpFields, Port, Rule},
};
use selector::{NAMESPACE_LABEL, ParseSelectorError, SERVICE_ACCOUNT_LABEL, Selector};

use crate::{
    active_rules::SourceId,
    ip_sets::{Definitions, SetContent, SetDefinition},
};

/// The profile that exists without a resource and allows everything.
const DEFAULT_ALLOW_PROFILE: &str = "projectcalico-default-allow";

/// The rules of one policy or profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The rules as if all sets were complete.
    pub(crate) intent: Arc<PolicyIntent>,
    /// The sets that they refer to, each once.
    pub(crate) sets: Arc<[Arc<SetDefinition>]>,
}

impl Rules {
    /// Translates v3 rules; `namespace` is where their policy lives. Says what cannot be enforced, and where it stands.
    pub(crate) fn translate(
        ingress: &[Rule],
        egress: &[Rule],
        namespace: Option<&str>,
        definitions: &mut Definitions,
    ) -> Result<Self, String> {
        let mut sets = Sets { definitions, used: BTreeMap::new() };
        let mut all =
            |rules, path| translate_all(rules, namespace, &mut sets).map_err(|reason| format!("spec.{path}{reason}"));
        let intent = PolicyIntent { ingress: all(ingress, "ingress")?, egress: all(egress, "egress")? };
        Ok(Self { intent: Arc::new(intent), sets: sets.used.into_values().collect() })
    }

    /// One action for every packet, in both directions.
    pub(crate) fn every(action: RuleAction) -> Self {
        let rules = vec![RuleIntent::every(action)];
        Self { intent: Arc::new(PolicyIntent { ingress: rules.clone(), egress: rules }), sets: Arc::default() }
    }

    /// What holds where there is nothing by a name.
    pub(crate) fn of_missing(id: &SourceId) -> Self {
        match id {
            SourceId::Profile(name) if &*name.0 == DEFAULT_ALLOW_PROFILE => Self::every(RuleAction::Allow),
            SourceId::Policy(_) | SourceId::Profile(_) => Self::every(RuleAction::Deny),
        }
    }
}

/// The sets of rules under translation.
struct Sets<'a> {
    definitions: &'a mut Definitions,
    used: BTreeMap<SetId, Arc<SetDefinition>>,
}

impl Sets<'_> {
    fn set(&mut self, content: SetContent) -> SetId {
        let definition = self.definitions.define(content);
        let id = definition.id.clone();
        self.used.insert(id.clone(), definition);
        id
    }
}

fn translate_all(rules: &[Rule], namespace: Option<&str>, sets: &mut Sets<'_>) -> Result<Vec<RuleIntent>, String> {
    let mut translated = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let rule = translate(rule, namespace, sets).map_err(|reason| format!("[{index}]{reason}"))?;
        translated.extend(rule);
    }
    Ok(translated)
}

/// Translates one rule; none where it cannot match any packet.
fn translate(rule: &Rule, namespace: Option<&str>, sets: &mut Sets<'_>) -> Result<Option<RuleIntent>, String> {
    if rule.http.is_some() {
        return Err(".http: matching HTTP requests is not supported yet".to_owned());
    }
    let protocol = rule.protocol.map(|name| name.0);
    let mut peer = |side: &EntityRule, path: &str| {
        Translation { protocol, namespace, sets: &mut *sets }.peer(side).map_err(|reason| format!(".{path}.{reason}"))
    };
    let source = peer(&rule.source, "source")?;
    let destination = peer(&rule.destination, "destination")?;
    let ip_version = match ip_version(rule)? {
        IpVersion::Any => None,
        IpVersion::Only(version) => Some(version),
        IpVersion::Contradictory => return Ok(None),
    };
    Ok(Some(RuleIntent {
        action: match rule.action {
            Action::Allow => RuleAction::Allow,
            Action::Deny => RuleAction::Deny,
            Action::Log => RuleAction::Log,
            Action::Pass => RuleAction::Pass,
        },
        ip_version,
        protocol,
        not_protocol: rule.not_protocol.map(|name| name.0),
        icmp: icmp(rule.icmp, protocol).map_err(|reason| format!(".icmp{reason}"))?,
        not_icmp: icmp(rule.not_icmp, protocol).map_err(|reason| format!(".notICMP{reason}"))?,
        source,
        destination,
    }))
}

/// What the translation of both sides of a rule needs.
struct Translation<'a, 's> {
    protocol: Option<Protocol>,
    /// The policy's, where it lives in one.
    namespace: Option<&'a str>,
    sets: &'a mut Sets<'s>,
}

impl Translation<'_, '_> {
    fn peer(mut self, side: &EntityRule) -> Result<PeerMatch, String> {
        if side.services.is_some() {
            return Err("services: matching services is not supported yet".to_owned());
        }
        let selected = self.selected(side).map_err(|error| error.to_string())?;
        let mut peer = PeerMatch {
            nets: side.nets.iter().map(IpNet::trunc).collect(),
            not_nets: side.not_nets.iter().map(IpNet::trunc).collect(),
            ..PeerMatch::default()
        };
        match (&selected, &side.not_selector) {
            (Some(selected), Some(not)) => {
                peer.ip_sets = vec![self.addresses(Selector::and([selected, &not.negate()]))];
            }
            (Some(selected), None) => peer.ip_sets = vec![self.addresses(selected.clone())],
            (None, Some(not)) => peer.not_ip_sets = vec![self.addresses(not.clone())],
            (None, None) => {}
        }
        let port_holders = selected.unwrap_or_default();
        (peer.ports, peer.named_port_sets) =
            self.ports(&side.ports, &port_holders).map_err(|reason| format!("ports: {reason}"))?;
        (peer.not_ports, peer.not_named_port_sets) =
            self.ports(&side.not_ports, &port_holders).map_err(|reason| format!("notPorts: {reason}"))?;
        Ok(peer)
    }

    /// Whom the positive parts select together; none where there are none.
    ///
    /// Labels say nothing about namespaces unless a namespace selector does, so in a namespaced policy they reach
    /// no further than its namespace.
    fn selected(&self, side: &EntityRule) -> Result<Option<Selector>, ParseSelectorError> {
        let accounts = side.service_accounts.as_ref();
        let names = accounts.map_or(&[][..], |accounts| &accounts.names);
        let mut terms = Vec::new();
        match (&side.namespace_selector, self.namespace) {
            (Some(namespaces), _) => terms.push(namespaces.for_namespaces()),
            (None, Some(own)) if side.selector.is_some() || side.not_selector.is_some() || accounts.is_some() => {
                terms.push(Selector::label_equals(NAMESPACE_LABEL, own)?);
            }
            (None, _) => {}
        }
        if !names.is_empty() {
            terms.push(Selector::label_in(SERVICE_ACCOUNT_LABEL, names.iter().map(String::as_str))?);
        }
        if let Some(labels) = accounts.and_then(|accounts| accounts.selector.as_ref()) {
            terms.push(labels.for_service_accounts());
        }
        terms.extend(side.selector.clone());
        Ok((!terms.is_empty()).then(|| Selector::and(&terms)))
    }

    /// Numbers as they are, names as sets of the ports that `holders` declare.
    fn ports(&mut self, ports: &[Port], holders: &Selector) -> Result<(Vec<PortRange>, Vec<SetId>), String> {
        let mut ranges = Vec::new();
        let mut sets = Vec::new();
        for port in ports {
            match (port, self.protocol) {
                (port, Some(protocol)) if !protocol.has_ports() => {
                    return Err(format!("port {port} cannot be matched: protocol {protocol} has no ports"));
                }
                (Port::Range(range), Some(_)) => ranges.push(*range),
                (Port::Range(_), None) => {
                    return Err(format!("port {port} needs a protocol: TCP, UDP, SCTP or UDPLite"));
                }
                (Port::Named(name), protocol) => {
                    let port = Some((Arc::from(name.as_str()), protocol));
                    sets.push(self.sets.set(SetContent { selector: holders.clone(), port }));
                }
            }
        }
        Ok((ranges, sets))
    }

    fn addresses(&mut self, selector: Selector) -> SetId {
        self.sets.set(SetContent { selector, port: None })
    }
}

/// The IP version that a rule is for.
enum IpVersion {
    Any,
    /// 4 or 6.
    Only(u8),
    /// Both at once, so it can match nothing.
    Contradictory,
}

/// As the rule says, as its protocol implies, and as its negated prefixes imply: to be outside a prefix means something
/// in that prefix's family only.
fn ip_version(rule: &Rule) -> Result<IpVersion, String> {
    if let Some(version) = rule.ip_version.filter(|version| ![4, 6].contains(version)) {
        return Err(format!(".ipVersion: {version} is neither 4 nor 6"));
    }
    let by_protocol = match rule.protocol.map(|name| name.0) {
        Some(Protocol::ICMP) => Some(4),
        Some(Protocol::ICMPV6) => Some(6),
        _ => None,
    };
    let demands =
        [rule.ip_version, by_protocol, only_version(&rule.source.not_nets), only_version(&rule.destination.not_nets)];
    let mut demands = demands.into_iter().flatten();
    Ok(match demands.next() {
        None => IpVersion::Any,
        Some(first) if demands.all(|version| version == first) => IpVersion::Only(first),
        Some(_) => IpVersion::Contradictory,
    })
}

/// The IP version of prefixes that are all of one.
fn only_version(nets: &[IpNet]) -> Option<u8> {
    let version = |net: &IpNet| if net.addr().is_ipv4() { 4 } else { 6 };
    let first = version(nets.first()?);
    nets.iter().all(|net| version(net) == first).then_some(first)
}

fn icmp(fields: Option<IcmpFields>, protocol: Option<Protocol>) -> Result<Option<Icmp>, String> {
    match fields {
        None | Some(IcmpFields { icmp_type: None, code: None }) => Ok(None),
        Some(IcmpFields { icmp_type: None, code: Some(_) }) => Err(".code: a code needs a type".to_owned()),
        Some(_) if !matches!(protocol, Some(Protocol::ICMP | Protocol::ICMPV6)) => {
            Err(": needs protocol ICMP or ICMPv6".to_owned())
        }
        Some(IcmpFields { icmp_type: Some(icmp_type), code }) => Ok(Some(Icmp { icmp_type, code })),
    }
}
