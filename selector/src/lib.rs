//! The Calico label selector language: parse, canonical text, stable identity, match.
//!
//! Pure text and trees. What a selector is applied to (endpoints, network sets, namespaces) and how the result is
//! indexed is `calc`'s business.

mod ast;
mod eval;
mod lex;
mod parse;
mod restrict;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha224};

use self::ast::Expression;
pub use self::{
    eval::Labels,
    restrict::{Restriction, Restrictions},
};

/// Label that every namespaced endpoint and network set carries: its namespace.
pub const NAMESPACE_LABEL: &str = "projectcalico.org/namespace";
/// Label that endpoints of a service account carry: its name.
pub const SERVICE_ACCOUNT_LABEL: &str = "projectcalico.org/serviceaccount";
/// Labels of an endpoint's namespace reach it under this prefix.
pub const NAMESPACE_PREFIX: &str = "pcns.";
/// Labels of an endpoint's service account reach it under this prefix.
pub const SERVICE_ACCOUNT_PREFIX: &str = "pcsa.";

/// A parsed selector: cheap to clone, equal where the canonical texts are equal.
#[derive(Clone)]
pub struct Selector(Arc<Parsed>);

struct Parsed {
    /// Reads back as itself.
    canonical: String,
    expression: Expression,
}

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {reason}")]
pub struct ParseSelectorError {
    /// Where, counted in characters from 1.
    pub position: usize,
    /// What is wrong and what was expected.
    pub reason: String,
}

impl ParseSelectorError {
    /// The error at a byte of the text, which need not be the first of its character.
    fn at(text: &str, byte: usize, reason: String) -> Self {
        let position = 1 + text.char_indices().take_while(|(start, _)| *start < byte).count();
        Self { position, reason }
    }
}

impl Selector {
    /// Reads a selector; the empty text selects all.
    pub fn parse(text: &str) -> Result<Self, ParseSelectorError> {
        parse::parse(text).map(Self::new)
    }

    /// Selects everything.
    pub fn all() -> Self {
        Self::new(Expression::All)
    }

    /// Selects what has the label.
    pub fn has_label(label: &str) -> Result<Self, ParseSelectorError> {
        check_label(label)?;
        Ok(Self::new(Expression::Has(label.into())))
    }

    /// Selects what has the label with this value.
    pub fn label_equals(label: &str, value: &str) -> Result<Self, ParseSelectorError> {
        check_label(label)?;
        check_value(value)?;
        Ok(Self::new(Expression::Compare(label.into(), ast::Comparison::Equal, value.into())))
    }

    /// Selects what has the label with one of these values; with none of them, nothing.
    pub fn label_in<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> Result<Self, ParseSelectorError> {
        Self::member(label, false, values)
    }

    /// Selects what lacks the label or has it with none of these values.
    pub fn label_not_in<'a>(
        label: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ParseSelectorError> {
        Self::member(label, true, values)
    }

    fn member<'a>(
        label: &str,
        negated: bool,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ParseSelectorError> {
        check_label(label)?;
        let values =
            values.into_iter().map(|value| check_value(value).map(|()| value.into())).collect::<Result<_, _>>()?;
        Ok(Self::new(Expression::Member { label: label.into(), negated, values }))
    }

    fn new(expression: Expression) -> Self {
        Self(Arc::new(Parsed { canonical: expression.to_string(), expression }))
    }

    /// The canonical text.
    pub fn canonical(&self) -> &str {
        &self.0.canonical
    }

    /// The identity of what it selects, a function of the canonical text: `s:` and a hash of 38 characters.
    pub fn uid(&self) -> String {
        let digest = Sha224::new().chain_update("s:").chain_update(self.canonical()).finalize();
        format!("s:{}", BASE64_URL_SAFE_NO_PAD.encode(digest))
    }

    /// Whether it matches these labels.
    pub fn matches(&self, labels: &(impl Labels + ?Sized)) -> bool {
        self.0.expression.matches(labels)
    }

    /// What it demands of single labels, for an index to find candidates by.
    pub fn restrictions(&self) -> Restrictions {
        self.0.expression.restrictions()
    }

    /// Whether it is `all()`, and so matches everything without a look at labels.
    pub fn is_all(&self) -> bool {
        self.0.expression == Expression::All
    }

    /// Matches where all of these match; of none, everything. Terms that match everything are left out.
    pub fn and<'a>(terms: impl IntoIterator<Item = &'a Selector>) -> Self {
        let terms: Vec<_> =
            terms.into_iter().filter(|term| !term.is_all()).map(|term| term.0.expression.clone()).collect();
        Self::new(Expression::all_of(terms))
    }

    /// Matches where this or the other matches.
    pub fn or(&self, other: &Self) -> Self {
        Self::new(Expression::any_of(vec![self.0.expression.clone(), other.0.expression.clone()]))
    }

    /// Matches where this does not.
    pub fn negate(&self) -> Self {
        Self::new(self.0.expression.clone().negate())
    }

    /// The same selector over labels whose names carry a prefix.
    pub fn with_label_prefix(&self, prefix: &str) -> Self {
        Self::new(self.0.expression.map_leaves(&|leaf| leaf.with_label_prefix(prefix)))
    }

    /// A namespace selector turned into one of the endpoints in those namespaces: labels get [`NAMESPACE_PREFIX`],
    /// `all()` becomes "is in a namespace" and `global()` "is in none".
    pub fn for_namespaces(&self) -> Self {
        let namespaced = Expression::Has(NAMESPACE_LABEL.into());
        Self::new(self.0.expression.map_leaves(&|leaf| match leaf {
            Expression::All => namespaced.clone(),
            Expression::Global => namespaced.clone().negate(),
            other => other.with_label_prefix(NAMESPACE_PREFIX),
        }))
    }

    /// A service account selector turned into one of the endpoints that run as those service accounts.
    pub fn for_service_accounts(&self) -> Self {
        self.with_label_prefix(SERVICE_ACCOUNT_PREFIX)
    }
}

fn check_label(label: &str) -> Result<(), ParseSelectorError> {
    let fits = !label.is_empty() && label.len() <= lex::MAX_LABEL_BYTES && label.chars().all(lex::is_label_char);
    if fits {
        return Ok(());
    }
    Err(ParseSelectorError { position: 1, reason: format!("{label:?} cannot be a label's name") })
}

/// The language has no escapes: a text with both kinds of quotes has no canonical form, and two different selectors
/// could end up with one identity.
fn check_value(value: &str) -> Result<(), ParseSelectorError> {
    if value.contains('"') && value.contains('\'') {
        let reason = format!("{value:?} holds both kinds of quotes, which no selector can express");
        return Err(ParseSelectorError { position: 1, reason });
    }
    Ok(())
}

impl Default for Selector {
    fn default() -> Self {
        Self::all()
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.canonical() == other.canonical()
    }
}

impl Eq for Selector {}

impl hash::Hash for Selector {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selector {
    fn cmp(&self, other: &Self) -> Ordering {
        self.canonical().cmp(other.canonical())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.canonical())
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({})", self.canonical())
    }
}

impl FromStr for Selector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl serde::Serialize for Selector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Selector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}
