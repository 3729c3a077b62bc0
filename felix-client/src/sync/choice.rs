//! Which replica a client is with, and why; for people.

use std::{fmt, sync::Arc};

use super::replica::Replica;

/// The replica that a client chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The replica.
    pub replica: Replica,
    /// Its place in the order in which this node prefers replicas, from 1.
    pub rank: usize,
    /// How many replicas were known.
    pub of: usize,
    /// What led to it.
    pub cause: Cause,
}

/// What led a client to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is the client's first.
    Start,
    /// The stream before was lost.
    Lost,
    /// The node prefers it to the one before.
    Preferred,
    /// The one before asked its clients to go.
    Asked {
        /// Why, as typha put it.
        reason: Arc<str>,
    },
    /// The one before is not among the replicas any more.
    Withdrawn,
    /// The one before had an old view of the datastore.
    Stale,
}

impl Cause {
    /// A short name for metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Lost => "lost",
            Self::Preferred => "preferred",
            Self::Asked { .. } => "asked",
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("the first connection"),
            Self::Lost => f.write_str("the one before was lost"),
            Self::Preferred => f.write_str("this node prefers it"),
            Self::Asked { reason } => write!(f, "the one before asked us to go: {reason}"),
            Self::Withdrawn => f.write_str("the one before is not among the replicas any more"),
            Self::Stale => f.write_str("the one before had an old view of the datastore"),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "choice {} of {}; {}", self.rank, self.of, self.cause)
    }
}
