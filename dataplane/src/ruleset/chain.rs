//! Chains and their rules.

use super::{Name, Statement, Verdict};
use crate::Object;

/// Where the kernel enters our table. All of our base chains are of type `filter` and accept at their end: what is
/// not a workload's or a host endpoint's is none of our business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    /// `NF_INET_PRE_ROUTING` and so on.
    pub(crate) number: u32,
    pub(crate) priority: i32,
}

impl Hook {
    const FILTER_PRIORITY: i32 = 0;
    const RAW_PRIORITY: i32 = -300;

    /// Before connection tracking, so that what is dropped there leaves no trace.
    pub(crate) const PREROUTING: Self = Self { number: 0, priority: Self::RAW_PRIORITY };
    pub(crate) const INPUT: Self = Self { number: 1, priority: Self::FILTER_PRIORITY };
    pub(crate) const FORWARD: Self = Self { number: 2, priority: Self::FILTER_PRIORITY };
    pub(crate) const OUTPUT: Self = Self { number: 3, priority: Self::FILTER_PRIORITY };
}

/// One chain, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// On whose behalf it exists; a refusal by the kernel is reported against it.
    pub(crate) owner: Object,
    /// `None` for chains that only other chains lead to.
    pub(crate) hook: Option<Hook>,
    pub(crate) rules: Vec<Rule>,
}

/// One rule: statements from left to right until one does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule(pub(crate) Vec<Statement>);

impl Chain {
    pub(crate) fn regular(owner: Object, rules: Vec<Rule>) -> Self {
        Self { owner, hook: None, rules }
    }

    pub(crate) fn base(hook: Hook, rules: Vec<Rule>) -> Self {
        Self { owner: Object::Table, hook: Some(hook), rules }
    }

    /// The same chain, closed: what reaches it is dropped.
    pub(crate) fn closed(&self) -> Self {
        Self { rules: vec![Rule::always(Verdict::Drop)], ..self.clone() }
    }

    /// Names of the sets and maps that its rules use.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &Name> {
        self.rules.iter().flat_map(|rule| &rule.0).filter_map(Statement::set)
    }
}

impl Rule {
    pub(crate) fn always(verdict: Verdict) -> Self {
        Self(vec![Statement::Verdict(verdict)])
    }
}
