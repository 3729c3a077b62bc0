//! What a selector demands of single labels, for an index to find candidates by.
//!
//! Necessary conditions only: labels that meet every restriction may still not match, labels that miss one never do.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::ast::{Comparison, Expression};

/// What must be true of one label of everything that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restriction {
    /// The label is there.
    Present,
    /// The label has one of these values; with none of them, nothing matches.
    OneOf(BTreeSet<Arc<str>>),
}

/// Restrictions by the label's name.
pub type Restrictions = BTreeMap<Arc<str>, Restriction>;

impl Restriction {
    /// Both at once.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::OneOf(mine), Self::OneOf(theirs)) => Self::OneOf(mine.intersection(&theirs).cloned().collect()),
            (Self::OneOf(values), Self::Present) | (Self::Present, Self::OneOf(values)) => Self::OneOf(values),
            (Self::Present, Self::Present) => Self::Present,
        }
    }

    /// Either of them.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::OneOf(mine), Self::OneOf(theirs)) => Self::OneOf(mine.union(&theirs).cloned().collect()),
            _ => Self::Present,
        }
    }
}

impl Expression {
    pub(crate) fn restrictions(&self) -> Restrictions {
        match self {
            Self::Compare(label, Comparison::Equal, text) => one(label, Restriction::OneOf([text.clone()].into())),
            Self::All
            | Self::Global
            | Self::Compare(_, Comparison::NotEqual, _)
            | Self::Member { negated: true, .. } => Restrictions::new(),
            Self::Has(label) | Self::Compare(label, ..) => one(label, Restriction::Present),
            Self::Member { label, values, .. } => one(label, Restriction::OneOf(values.clone())),
            Self::Not(inner) => inner.negated_restrictions(),
            Self::And(terms) => terms.iter().map(Self::restrictions).fold(Restrictions::new(), every),
            Self::Or(terms) => terms.iter().map(Self::restrictions).reduce(common).unwrap_or_default(),
        }
    }

    /// The restrictions of the negation: `!(a != "b")` and `!(a not in {…})` demand as much as their positive forms.
    fn negated_restrictions(&self) -> Restrictions {
        match self {
            Self::Compare(label, Comparison::NotEqual, text) => one(label, Restriction::OneOf([text.clone()].into())),
            Self::Member { label, negated: true, values } => one(label, Restriction::OneOf(values.clone())),
            Self::Not(inner) => inner.restrictions(),
            Self::And(terms) => terms.iter().map(Self::negated_restrictions).reduce(common).unwrap_or_default(),
            Self::Or(terms) => terms.iter().map(Self::negated_restrictions).fold(Restrictions::new(), every),
            _ => Restrictions::new(),
        }
    }
}

fn one(label: &Arc<str>, restriction: Restriction) -> Restrictions {
    [(label.clone(), restriction)].into()
}

/// What holds where both hold.
fn every(mut mine: Restrictions, theirs: Restrictions) -> Restrictions {
    for (label, restriction) in theirs {
        let both = match mine.remove(&label) {
            Some(known) => known.and(restriction),
            None => restriction,
        };
        mine.insert(label, both);
    }
    mine
}

/// What holds where at least one holds: only labels that both restrict.
fn common(mine: Restrictions, mut theirs: Restrictions) -> Restrictions {
    mine.into_iter()
        .filter_map(|(label, restriction)| {
            let other = theirs.remove(&label)?;
            Some((label, restriction.or(other)))
        })
        .collect()
}
