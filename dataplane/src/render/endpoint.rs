//! One endpoint: a chain for each direction that asks its tiers, then its profiles, and drops what nobody allowed.

use std::collections::BTreeMap;

use ipnet::IpNet;
use model::intent::{
    Attachment, DefaultAction, EndpointId, EndpointIntent, FailsafePort, PolicyId, PortRange, ProfileId, Protocol,
    TierIntent,
};

use super::{Direction, Fragment, name};
use crate::{
    Config, Object,
    config::{IP_IN_IP, VXLAN_PORT},
    ruleset::{Chain, ConntrackState, Family, Name, Rule, Side, Statement, Verdict},
};

/// What else the intent holds; references to anything else are closed.
pub(crate) struct Known<'a> {
    pub(crate) policy: &'a dyn Fn(&PolicyId) -> bool,
    pub(crate) profile: &'a dyn Fn(&ProfileId) -> bool,
}

/// Renders an endpoint's chains.
pub(crate) fn endpoint(id: &EndpointId, intent: &EndpointIntent, config: &Config, known: &Known<'_>) -> Fragment {
    let mut fragment = Fragment::default();
    for direction in [Direction::Ingress, Direction::Egress] {
        let mut renderer = Renderer { intent, config, known, direction, rules: Vec::new(), failures: Vec::new() };
        renderer.render(&mut fragment);
        let chain = Chain::regular(Object::Endpoint(id.clone()), renderer.rules);
        fragment.failures.extend(renderer.failures);
        fragment.chains.insert(name::endpoint_chain(id, intent, direction), chain);
    }
    fragment
}

struct Renderer<'a> {
    intent: &'a EndpointIntent,
    config: &'a Config,
    known: &'a Known<'a>,
    direction: Direction,
    rules: Vec<Rule>,
    failures: Vec<String>,
}

impl Renderer<'_> {
    fn render(&mut self, fragment: &mut Fragment) {
        self.connections();
        match self.intent.attachment {
            Attachment::Workload { .. } => self.encapsulation(),
            Attachment::Host { .. } => self.failsafe(fragment),
        }
        let tiers = match self.direction {
            Direction::Ingress => &self.intent.ingress,
            Direction::Egress => &self.intent.egress,
        };
        for (index, tier) in tiers.iter().enumerate() {
            self.tier(tier, index == 0);
        }
        for profile in &self.intent.profiles {
            self.profile(profile);
        }
        self.push([Statement::Verdict(Verdict::Drop)]);
    }

    /// What was allowed once goes on, until it ends.
    fn connections(&mut self) {
        let allow = self.allow();
        self.push([Statement::Conntrack(ConntrackState::EstablishedOrRelated)].into_iter().chain(allow));
        self.push([Statement::Conntrack(ConntrackState::Invalid), Statement::Verdict(Verdict::Drop)]);
    }

    /// A workload must not speak as if it were another node.
    fn encapsulation(&mut self) {
        if self.direction == Direction::Egress {
            let range = PortRange { first: VXLAN_PORT, last: VXLAN_PORT };
            self.push([
                Statement::Protocol { negated: false, protocol: Protocol::UDP },
                Statement::Port { side: Side::Destination, negated: false, range },
                Statement::Verdict(Verdict::Drop),
            ]);
            let tunnel = Statement::Protocol { negated: false, protocol: IP_IN_IP };
            self.push([tunnel, Statement::Verdict(Verdict::Drop)]);
        }
    }

    fn failsafe(&mut self, fragment: &mut Fragment) {
        let ports = match self.direction {
            Direction::Ingress => &self.config.failsafe_inbound,
            Direction::Egress => &self.config.failsafe_outbound,
        };
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for FailsafePort { protocol, port, net } in ports {
            groups.entry((*protocol, *net)).or_default().push(PortRange { first: *port, last: *port });
        }
        for ((protocol, net), ranges) in groups {
            let set = fragment.intern_ports(&ranges);
            let ported = [
                Statement::Protocol { negated: false, protocol },
                Statement::PortIn { side: Side::Destination, negated: false, set },
            ];
            let matches = net.into_iter().flat_map(|net| self.other_end(net)).chain(ported).chain(self.allow());
            self.push(matches.collect::<Vec<_>>());
        }
    }

    /// Asks that whoever the endpoint speaks with is in a prefix.
    fn other_end(&self, net: IpNet) -> Vec<Statement> {
        let side = match self.direction {
            Direction::Ingress => Side::Source,
            Direction::Egress => Side::Destination,
        };
        let family = Statement::Family(Family::of(net.addr()));
        if net.prefix_len() == 0 {
            return vec![family];
        }
        vec![family, Statement::Address { side, negated: false, net: net.trunc() }]
    }

    /// Asks the tier's policies while none has decided. Deny and, for ingress, Allow end the matter in the policies'
    /// own chains.
    fn tier(&mut self, tier: &TierIntent, is_first: bool) {
        if !is_first {
            self.push([Statement::ClearMark(self.config.pass_mark)]);
        }
        for (index, id) in tier.policies.iter().enumerate() {
            let [ingress, egress] = name::policy_chains(id);
            let undecided = (index > 0).then_some(Statement::MarkClear(self.decided()));
            let verdict = if (self.known.policy)(id) {
                Verdict::Jump(self.pick(ingress, egress))
            } else {
                self.failures
                    .push(format!("tier {} refers to policy {id}, which is missing; it drops instead", tier.name));
                Verdict::Drop
            };
            self.push(undecided.into_iter().chain([Statement::Verdict(verdict)]));
        }
        if tier.default_action == DefaultAction::Deny {
            self.push([Statement::MarkClear(self.decided()), Statement::Verdict(Verdict::Drop)]);
        }
        self.leave_if_allowed();
    }

    fn profile(&mut self, id: &ProfileId) {
        let [ingress, egress] = name::profile_chains(id);
        if (self.known.profile)(id) {
            self.push([Statement::Verdict(Verdict::Jump(self.pick(ingress, egress)))]);
            self.leave_if_allowed();
        } else {
            self.failures.push(format!("it refers to profile {id}, which is missing; it drops instead"));
            self.push([Statement::Verdict(Verdict::Drop)]);
        }
    }

    fn leave_if_allowed(&mut self) {
        if self.direction == Direction::Egress {
            self.push([Statement::MarkSet(self.config.accept_mark), Statement::Verdict(Verdict::Return)]);
        }
    }

    fn allow(&self) -> Vec<Statement> {
        match self.direction {
            Direction::Ingress => vec![Statement::Verdict(Verdict::Accept)],
            Direction::Egress => {
                vec![Statement::SetMark(self.config.accept_mark), Statement::Verdict(Verdict::Return)]
            }
        }
    }

    fn pick(&self, ingress: Name, egress: Name) -> Name {
        match self.direction {
            Direction::Ingress => ingress,
            Direction::Egress => egress,
        }
    }

    fn decided(&self) -> u32 {
        self.config.accept_mark | self.config.pass_mark
    }

    fn push(&mut self, statements: impl IntoIterator<Item = Statement>) {
        self.rules.push(Rule(statements.into_iter().collect()));
    }
}
