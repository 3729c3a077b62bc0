//! What decided on a packet, in words that name the tier, policy and rule.

use std::{fmt, sync::Arc};

use model::intent::{PolicyId, ProfileId, SetId};

/// What decided on a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rule of a policy.
    Policy {
        /// The tier that it was reached in.
        tier: Arc<str>,
        /// The policy.
        policy: PolicyId,
        /// The rule's place in the policy's rules of that direction, from 0.
        rule_index: usize,
    },
    /// The end of a tier in which policies apply and none decided.
    EndOfTier {
        /// The tier.
        tier: Arc<str>,
    },
    /// A rule of a profile.
    Profile {
        /// The profile.
        profile: ProfileId,
        /// The rule's place in the profile's rules of that direction, from 0.
        rule_index: usize,
    },
    /// Neither a tier nor a profile decided; that denies.
    NothingDecided,
    /// The source address is none of the sending workload's.
    SpoofedSource,
    /// The node has no such endpoint; packets of unknown interfaces are dropped.
    UnknownEndpoint,
    /// The intent refers to what it does not hold; that denies, whatever later rules say.
    Dangling(Dangling),
}

/// What an intent refers to and does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dangling {
    /// A policy of a tier.
    Policy(PolicyId),
    /// A profile of an endpoint.
    Profile(ProfileId),
    /// A set of a rule.
    Set(SetId),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy { tier, policy, rule_index } => write!(f, "rule {rule_index} of {policy} in tier {tier}"),
            Self::EndOfTier { tier } => write!(f, "the end of tier {tier}"),
            Self::Profile { profile, rule_index } => write!(f, "rule {rule_index} of profile {profile}"),
            Self::NothingDecided => f.write_str("default: no tier and no profile decided"),
            Self::SpoofedSource => f.write_str("the source address, which is not the workload's own"),
            Self::UnknownEndpoint => f.write_str("default: this node has no such endpoint"),
            Self::Dangling(Dangling::Policy(id)) => write!(f, "default: policy {id} is missing"),
            Self::Dangling(Dangling::Profile(id)) => write!(f, "default: profile {id} is missing"),
            Self::Dangling(Dangling::Set(id)) => write!(f, "default: set {id} is missing"),
        }
    }
}
