//! What becomes of one packet at one endpoint, and which rule says so: the meaning of an intent, written down once.
//!
//! For explaining and for proving, not for enforcing: the kernel never asks here. Nothing is indexed and nothing is
//! kept. Evaluated is the first packet of a connection; replies and established flows never meet policy, and a host
//! endpoint's failsafe ports are the dataplane's business.

mod packet;
mod reason;
mod rule;

use std::fmt;

use model::intent::{
    Attachment, DefaultAction, EndpointId, EndpointIntent, NodeIntent, PolicyIntent, RuleAction, RuleIntent, TierIntent,
};

use self::rule::{MissingSet, matches};
pub use self::{
    packet::{Direction, Packet, Transport},
    reason::{Dangling, Reason},
};

/// What becomes of a packet, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the packet passes.
    pub allowed: bool,
    /// What decided.
    pub reason: Reason,
}

/// Decides on a packet that reaches (`Ingress`) or leaves (`Egress`) an endpoint of the node.
pub fn evaluate(node: &NodeIntent, endpoint: &EndpointId, direction: Direction, packet: &Packet) -> Verdict {
    let Some(endpoint) = node.endpoints.get(endpoint) else {
        return Verdict::deny(Reason::UnknownEndpoint);
    };
    if direction == Direction::Egress && is_spoofed(endpoint, packet) {
        return Verdict::deny(Reason::SpoofedSource);
    }
    let asked = Asked { node, direction, packet };
    match asked.tiers(endpoint).and_then(|decided| match decided {
        Some(verdict) => Ok(Some(verdict)),
        None => asked.profiles(endpoint),
    }) {
        Ok(Some(verdict)) => verdict,
        Ok(None) => Verdict::deny(Reason::NothingDecided),
        Err(dangling) => Verdict::deny(Reason::Dangling(dangling)),
    }
}

fn is_spoofed(endpoint: &EndpointIntent, packet: &Packet) -> bool {
    match &endpoint.attachment {
        Attachment::Workload { addresses, .. } => !addresses.contains(&packet.source),
        Attachment::Host { .. } => false,
    }
}

/// One question; its parts never change while it is answered.
struct Asked<'a> {
    node: &'a NodeIntent,
    direction: Direction,
    packet: &'a Packet,
}

/// What the rules of one policy or profile say.
enum Said {
    Decided { allowed: bool, rule_index: usize },
    Passed,
    Nothing,
}

impl Asked<'_> {
    fn tiers(&self, endpoint: &EndpointIntent) -> Result<Option<Verdict>, Dangling> {
        let tiers = match self.direction {
            Direction::Ingress => &endpoint.ingress,
            Direction::Egress => &endpoint.egress,
        };
        for tier in tiers {
            if let Some(verdict) = self.tier(tier)? {
                return Ok(Some(verdict));
            }
        }
        Ok(None)
    }

    /// `None` where the next tier is to decide.
    fn tier(&self, tier: &TierIntent) -> Result<Option<Verdict>, Dangling> {
        for id in &tier.policies {
            let policy = self.node.policies.get(id).ok_or_else(|| Dangling::Policy(id.clone()))?;
            match self.rules(policy)? {
                Said::Decided { allowed, rule_index } => {
                    let reason = Reason::Policy { tier: tier.name.clone(), policy: id.clone(), rule_index };
                    return Ok(Some(Verdict { allowed, reason }));
                }
                Said::Passed => return Ok(None),
                Said::Nothing => {}
            }
        }
        Ok(match tier.default_action {
            DefaultAction::Deny => Some(Verdict::deny(Reason::EndOfTier { tier: tier.name.clone() })),
            DefaultAction::Pass => None,
        })
    }

    fn profiles(&self, endpoint: &EndpointIntent) -> Result<Option<Verdict>, Dangling> {
        for id in &endpoint.profiles {
            let profile = self.node.profiles.get(id).ok_or_else(|| Dangling::Profile(id.clone()))?;
            if let Said::Decided { allowed, rule_index } = self.rules(profile)? {
                let reason = Reason::Profile { profile: id.clone(), rule_index };
                return Ok(Some(Verdict { allowed, reason }));
            }
        }
        Ok(None)
    }

    fn rules(&self, policy: &PolicyIntent) -> Result<Said, Dangling> {
        let rules: &[RuleIntent] = match self.direction {
            Direction::Ingress => &policy.ingress,
            Direction::Egress => &policy.egress,
        };
        for (rule_index, rule) in rules.iter().enumerate() {
            if !matches(rule, self.packet, &self.node.ip_sets).map_err(|MissingSet(id)| Dangling::Set(id))? {
                continue;
            }
            match rule.action {
                RuleAction::Allow => return Ok(Said::Decided { allowed: true, rule_index }),
                RuleAction::Deny => return Ok(Said::Decided { allowed: false, rule_index }),
                RuleAction::Pass => return Ok(Said::Passed),
                RuleAction::Log => {}
            }
        }
        Ok(Said::Nothing)
    }
}

impl Verdict {
    fn deny(reason: Reason) -> Self {
        Self { allowed: false, reason }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.allowed { "allowed" } else { "denied" };
        write!(f, "{word} by {}", self.reason)
    }
}

#[cfg(test)]
mod tests;
