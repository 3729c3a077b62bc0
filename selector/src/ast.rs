//! The tree of a selector and its canonical text.
//!
//! The constructors keep trees normal (no double negation, no junction of one, sets sorted), so that equal texts mean
//! equal trees and the canonical text reads back as itself.

use std::{collections::BTreeSet, fmt, sync::Arc};

/// Deepest tree that is accepted: bounds the stack that reading, matching and dropping need.
pub(crate) const MAX_DEPTH: usize = 128;

/// One node of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// `all()`
    All,
    /// `global()`: true here; it has its meaning where it stands in a namespace selector.
    Global,
    /// `has(label)`
    Has(Arc<str>),
    /// A label compared with a text.
    Compare(Arc<str>, Comparison, Arc<str>),
    /// A label looked up in a set; `negated` for `not in`.
    Member { label: Arc<str>, negated: bool, values: BTreeSet<Arc<str>> },
    /// `!x`
    Not(Box<Expression>),
    /// `(x && y …)`, at least two.
    And(Vec<Expression>),
    /// `(x || y …)`, at least two.
    Or(Vec<Expression>),
}

/// How a label's value is compared with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
}

impl Comparison {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Contains => "contains",
            Self::StartsWith => "starts with",
            Self::EndsWith => "ends with",
        }
    }
}

impl Expression {
    /// The negation; of a negation, what was negated.
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// All of `terms`, which are at least one.
    pub(crate) fn all_of(terms: Vec<Self>) -> Self {
        Self::junction(terms, Self::And)
    }

    /// Any of `terms`, which are at least one.
    pub(crate) fn any_of(terms: Vec<Self>) -> Self {
        Self::junction(terms, Self::Or)
    }

    fn junction(mut terms: Vec<Self>, join: fn(Vec<Self>) -> Self) -> Self {
        match (terms.pop(), terms.is_empty()) {
            (Some(only), true) => only,
            (Some(last), false) => {
                terms.push(last);
                join(terms)
            }
            (None, _) => Self::All,
        }
    }

    /// Levels of the tree; a leaf is one.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Not(inner) => 1 + inner.depth(),
            Self::And(terms) | Self::Or(terms) => 1 + terms.iter().map(Self::depth).max().unwrap_or(0),
            _ => 1,
        }
    }

    /// The same tree with each leaf replaced.
    pub(crate) fn map_leaves(&self, leaf: &impl Fn(&Self) -> Self) -> Self {
        let map = |terms: &[Self]| terms.iter().map(|term| term.map_leaves(leaf)).collect();
        match self {
            Self::Not(inner) => inner.map_leaves(leaf).negate(),
            Self::And(terms) => Self::And(map(terms)),
            Self::Or(terms) => Self::Or(map(terms)),
            other => leaf(other),
        }
    }

    /// A leaf with its label's name prefixed.
    pub(crate) fn with_label_prefix(&self, prefix: &str) -> Self {
        let mut leaf = self.clone();
        match &mut leaf {
            Self::Has(label) | Self::Compare(label, ..) | Self::Member { label, .. } => {
                *label = format!("{prefix}{label}").into();
            }
            _ => {}
        }
        leaf
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all()"),
            Self::Global => f.write_str("global()"),
            Self::Has(label) => write!(f, "has({label})"),
            Self::Compare(label, comparison, text) => {
                write!(f, "{label} {} {}", comparison.as_str(), Quoted(text))
            }
            Self::Member { label, negated, values } => {
                write!(f, "{label} {} {{", if *negated { "not in" } else { "in" })?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, Quoted(value))?;
                }
                f.write_str("}")
            }
            Self::Not(inner) => write!(f, "!{inner}"),
            Self::And(terms) => write_terms(f, terms, " && "),
            Self::Or(terms) => write_terms(f, terms, " || "),
        }
    }
}

fn write_terms(f: &mut fmt::Formatter<'_>, terms: &[Expression], separator: &str) -> fmt::Result {
    f.write_str("(")?;
    for (index, term) in terms.iter().enumerate() {
        write!(f, "{}{term}", if index == 0 { "" } else { separator })?;
    }
    f.write_str(")")
}

/// A text in double quotes, or in single ones where it holds a double one.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('"') { '\'' } else { '"' };
        write!(f, "{quote}{}{quote}", self.0)
    }
}
