//! Policies and profiles: a chain for each direction, shared by all endpoints that they apply to.

use model::intent::{PeerMatch, PolicyId, PolicyIntent, ProfileId, RuleAction, RuleIntent, SetId};

use super::{Direction, Fragment, Presence, name, rule};
use crate::{
    Config, Object,
    ruleset::{Chain, Rule, Statement, Verdict},
};

/// Renders a policy. `presence` tells what the intent knows of a set.
pub(crate) fn policy(
    id: &PolicyId,
    intent: &PolicyIntent,
    config: &Config,
    presence: &dyn Fn(&SetId) -> Option<Presence>,
) -> Fragment {
    let pass = vec![Statement::SetMark(config.pass_mark), Statement::Verdict(Verdict::Return)];
    let [ingress, egress] = name::policy_chains(id);
    let renderer = Renderer { owner: Object::Policy(id.clone()), config, pass, presence };
    renderer.render([(ingress, &intent.ingress, Direction::Ingress), (egress, &intent.egress, Direction::Egress)])
}

/// Renders a profile, in which Pass ends that profile only.
pub(crate) fn profile(
    id: &ProfileId,
    intent: &PolicyIntent,
    config: &Config,
    presence: &dyn Fn(&SetId) -> Option<Presence>,
) -> Fragment {
    let pass = vec![Statement::Verdict(Verdict::Return)];
    let [ingress, egress] = name::profile_chains(id);
    let renderer = Renderer { owner: Object::Profile(id.clone()), config, pass, presence };
    renderer.render([(ingress, &intent.ingress, Direction::Ingress), (egress, &intent.egress, Direction::Egress)])
}

struct Renderer<'a> {
    owner: Object,
    config: &'a Config,
    /// What a matching Pass rule does.
    pass: Vec<Statement>,
    presence: &'a dyn Fn(&SetId) -> Option<Presence>,
}

impl Renderer<'_> {
    fn render(self, chains: [(crate::ruleset::Name, &Vec<RuleIntent>, Direction); 2]) -> Fragment {
        let mut fragment = Fragment::default();
        for (name, rules, direction) in chains {
            let rules = self.rules(rules, direction, &mut fragment);
            fragment.chains.insert(name, Chain::regular(self.owner.clone(), rules));
        }
        fragment
    }

    /// A rule that refers to a set that is not there ends the chain: whether it matches cannot be known.
    fn rules(&self, intents: &[RuleIntent], direction: Direction, fragment: &mut Fragment) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (index, intent) in intents.iter().enumerate() {
            if let Some(missing) = sets(intent).find(|id| (self.presence)(id).is_none()) {
                fragment
                    .failures
                    .push(format!("rule {index} refers to set {missing}, which is missing; it drops instead"));
                rules.push(Rule::always(Verdict::Drop));
                break;
            }
            rules.extend(rule::rules(intent, &self.outcome(intent.action, direction), self.presence, fragment));
        }
        rules
    }

    fn outcome(&self, action: RuleAction, direction: Direction) -> Vec<Statement> {
        match (action, direction) {
            (RuleAction::Allow, Direction::Ingress) => vec![Statement::Verdict(Verdict::Accept)],
            (RuleAction::Allow, Direction::Egress) => {
                vec![Statement::SetMark(self.config.accept_mark), Statement::Verdict(Verdict::Return)]
            }
            (RuleAction::Deny, _) => vec![Statement::Verdict(Verdict::Drop)],
            (RuleAction::Pass, _) => self.pass.clone(),
            (RuleAction::Log, _) => vec![Statement::Log { prefix: self.config.log_prefix.as_str().into() }],
        }
    }
}

/// The sets that a rule refers to.
pub(crate) fn sets(rule: &RuleIntent) -> impl Iterator<Item = &SetId> {
    fn of(peer: &PeerMatch) -> impl Iterator<Item = &SetId> {
        let addresses = peer.ip_sets.iter().chain(&peer.not_ip_sets);
        addresses.chain(&peer.named_port_sets).chain(&peer.not_named_port_sets)
    }
    of(&rule.source).chain(of(&rule.destination))
}
