//! From the answers of replicas to what is well and what is not. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    ask::{Answer, Asked, Status},
    certificates,
    nodes::Nodes,
    span::Span,
};

/// Conditions of readiness that are judged by what else a replica says, in more words.
const SAID_OTHERWISE: [&str; 4] = ["not-draining", "datastore-listed", "upstream-fresh", "certificates-valid"];

/// The state of typha as a whole.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    pub(super) verdict: Verdict,
    /// What is not well, a line each.
    pub(super) complaints: Vec<String>,
    pub(super) replicas: Vec<Replica>,
    pub(super) nodes: Nodes,
}

/// All in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Well,
    /// Something lags, is stale or is gone.
    Degraded,
    /// No replica answers.
    Unknown,
}

/// One replica.
#[derive(Debug, Serialize)]
pub(super) struct Replica {
    pub(super) address: String,
    /// Why it does not answer.
    pub(super) error: Option<String>,
    pub(super) clients: usize,
    /// Revisions that it lacks and another one has.
    pub(super) behind: u64,
    pub(super) status: Option<Status>,
}

impl Health {
    /// Judges answers, which come with the address that was asked.
    pub(super) fn of(answers: Vec<Asked>, fail_under: Option<Span>, lag_limit: Span) -> Self {
        let alive = || answers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
        let newest = alive().map(|answer| answer.status.revision).max().unwrap_or_default();
        let last_change = alive().map(|answer| answer.status.acks.revision).max();
        let nodes = Nodes::of(alive().flat_map(|answer| &answer.clients), last_change);
        let mut complaints: Vec<String> = answers
            .iter()
            .flat_map(|(address, answer)| {
                replica_complaints(address, answer, last_change.unwrap_or_default(), fail_under)
            })
            .collect();
        complaints.extend(disagreements(alive().map(|answer| &answer.status)));
        complaints.extend(nodes.complaints(lag_limit));
        let verdict = match (last_change.is_none(), complaints.is_empty()) {
            (true, _) => Verdict::Unknown,
            (false, true) => Verdict::Well,
            (false, false) => Verdict::Degraded,
        };
        let replicas = answers.into_iter().map(|(address, answer)| Replica::new(address, answer, newest)).collect();
        Self { verdict, complaints, replicas, nodes }
    }
}

impl Replica {
    fn new(address: String, answer: Result<Answer, String>, newest: u64) -> Self {
        match answer {
            Err(error) => Self { address, error: Some(error), clients: 0, behind: 0, status: None },
            Ok(Answer { status, clients, .. }) => {
                let behind = newest - status.revision;
                Self { address, error: None, clients: clients.len(), behind, status: Some(status) }
            }
        }
    }
}

fn replica_complaints(
    address: &str,
    answer: &Result<Answer, String>,
    last_change: u64,
    fail_under: Option<Span>,
) -> Vec<String> {
    let Answer { status, has_last_change, .. } = match answer {
        Ok(answer) => answer,
        Err(error) => return vec![format!("the replica at {address} does not answer: {error}")],
    };
    let mut complaints = Vec::new();
    let mut complain = |what: &str| complaints.push(format!("{} at {address} {what}", status.name));
    if status.is_draining {
        complain("is draining");
    }
    if !status.in_sync {
        complain("has not listed the datastore completely yet");
    } else if !has_last_change {
        complain(&format!("lacks the change of revision {last_change}"));
    }
    match status.upstream_age_ms {
        None => complain("has never heard from the datastore"),
        Some(age_ms) if age_ms > status.stale_after_ms => {
            complain(&format!("has heard nothing from the datastore for {:.1} s", age_ms as f64 / 1e3));
        }
        Some(_) => {}
    }
    if let Some(complaint) = &status.complaint {
        complain(&format!("says of the datastore: {complaint}"));
    }
    for gate in status.gates.iter().filter(|gate| !SAID_OTHERWISE.contains(&gate.name.as_str())) {
        if let Some(reason) = &gate.reason {
            complain(&format!("is not ready ({}, for {}): {reason}", gate.name, Span::from_ms(gate.for_ms)));
        }
    }
    for complaint in certificates::complaints(status, fail_under) {
        complain(&complaint);
    }
    complaints
}

/// Replicas that are at the same revision of the same datastore hold the same state.
fn disagreements<'a>(replicas: impl Iterator<Item = &'a Status>) -> Vec<String> {
    let mut seen: BTreeMap<u64, &Status> = BTreeMap::new();
    let (mut complaints, mut first): (Vec<String>, Option<&Status>) = (Vec::new(), None);
    for status in replicas.filter(|status| status.in_sync) {
        let first = *first.get_or_insert(status);
        let other = *seen.entry(status.revision).or_insert(status);
        if first.datastore_id != status.datastore_id {
            complaints.push(format!("{} and {} read different datastores", first.name, status.name));
        } else if other.digest != status.digest {
            let (name, other_name, revision) = (&status.name, &other.name, status.revision);
            complaints.push(format!("{other_name} and {name} hold different states at revision {revision}"));
        }
    }
    complaints
}
