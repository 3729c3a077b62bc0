//! What the nodes enforce, from what all replicas say of their clients. Pure.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
};

use serde::Serialize;

use super::{
    ask::{Client, Failure},
    span::Span,
};

/// Nodes that lag or fail are named up to this number in words; JSON names them all.
const NAMED: usize = 10;

/// What the nodes enforce.
#[derive(Debug, Default, Serialize)]
pub(super) struct Nodes {
    /// The last change that any replica knows of; `null` where none answers, as are the next two.
    pub(super) revision: Option<u64>,
    /// How many nodes enforce it.
    pub(super) applied: Option<usize>,
    pub(super) total: Option<usize>,
    /// Those that do not, the ones that have lacked it for longest first.
    pub(super) lagging: Vec<Lag>,
    /// What nodes could not enforce.
    pub(super) failing: BTreeMap<String, Vec<Failure>>,
}

/// A node that does not enforce the last change.
#[derive(Debug, Serialize)]
pub(super) struct Lag {
    node: String,
    /// How many revisions it is behind; `null` where it never reported.
    behind_revisions: Option<u64>,
    /// For how long it has lacked a change, as far as its replica knows.
    behind_ms: Option<u64>,
    /// For how long it has not read what its replica sent; `null` where it reads.
    stalled_ms: Option<u64>,
}

impl Nodes {
    /// A node that has just moved is listed by two replicas for a moment; its newest report counts, and the stream that
    /// is read. There is no last change where no replica answers.
    pub(super) fn of<'a>(clients: impl Iterator<Item = &'a Client>, last_change: Option<u64>) -> Self {
        let Some(last_change) = last_change else { return Self::default() };
        let standing = |client: &Client| (client.applied_revision, Reverse(client.stalled_ms));
        let mut newest: BTreeMap<&str, &Client> = BTreeMap::new();
        for client in clients {
            match newest.entry(&client.node) {
                Entry::Vacant(entry) => _ = entry.insert(client),
                Entry::Occupied(mut entry) if standing(client) > standing(entry.get()) => _ = entry.insert(client),
                Entry::Occupied(_) => {}
            }
        }
        let mut nodes = Self { revision: Some(last_change), total: Some(newest.len()), ..Self::default() };
        let mut applied = 0;
        for (node, client) in newest {
            if client.applied_revision >= Some(last_change) {
                applied += 1;
            } else {
                nodes.lagging.push(Lag::of(client, last_change));
            }
            if !client.failures.is_empty() {
                nodes.failing.insert(node.to_owned(), client.failures.clone());
            }
        }
        nodes.applied = Some(applied);
        // Sorting is stable: equal ones stay in the order of their names.
        nodes.lagging.sort_by_key(|lag| Reverse((lag.behind_ms, lag.behind_revisions)));
        nodes
    }

    /// How far the last change has come, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let Self { revision: Some(revision), applied: Some(applied), total: Some(total), lagging, .. } = self else {
            return "what the nodes enforce is not known: no replica answers".to_owned();
        };
        let text = format!("revision {revision} applied by {applied} of {total} nodes");
        match lagging.as_slice() {
            [] => text,
            [one] => format!("{text}; {} lags: {}", one.node, one.words()),
            many => format!("{text}; lagging: {}", named(many)),
        }
    }

    /// What is not well, a line each. While something changes there are always nodes that have not told of it yet.
    pub(super) fn complaints(&self, lag_limit: Span) -> Vec<String> {
        let lagging = self.lagging.iter().any(|lag| lag.is_over(lag_limit)).then(|| self.sentence());
        let failing = self.failing.iter().take(NAMED).filter_map(|(node, failures)| {
            let first = failures.first()?;
            let more = match failures.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Some(format!("{node} could not enforce {}: {}{more}", first.object, first.reason))
        });
        lagging.into_iter().chain(failing).collect()
    }
}

impl Lag {
    fn of(client: &Client, last_change: u64) -> Self {
        let behind_revisions = client.applied_revision.map(|applied| last_change.saturating_sub(applied));
        let Client { behind_ms, stalled_ms, .. } = *client;
        Self { node: client.node.clone(), behind_revisions, behind_ms, stalled_ms }
    }

    /// Whether it has lacked a change for so long, or nobody knows for how long.
    fn is_over(&self, limit: Span) -> bool {
        self.behind_ms.is_none_or(|ms| Span::from_ms(ms) >= limit)
    }

    /// How far it is behind, and why.
    fn words(&self) -> String {
        let revisions = match self.behind_revisions {
            None => "no report".to_owned(),
            Some(1) => "1 revision behind".to_owned(),
            Some(revisions) => format!("{revisions} revisions behind"),
        };
        let lasts = self.behind_ms.map(|ms| format!(" for {}", Span::from_ms(ms))).unwrap_or_default();
        let why = self.stalled_ms.map_or_else(
            || "reads, has not reported more".to_owned(),
            |ms| format!("has not read for {}", Span::from_ms(ms)),
        );
        format!("{revisions}{lasts}, {why}")
    }
}

fn named(lagging: &[Lag]) -> String {
    let worst: Vec<_> = lagging.iter().take(NAMED).map(|lag| format!("{} ({})", lag.node, lag.words())).collect();
    let (names, more) = (worst.join(", "), lagging.len() - worst.len());
    if more == 0 { names } else { format!("{names} and {more} more") }
}
