//! Documents on their way in: which resource each one is, and whether it may come in at all.

use std::{
    collections::HashSet,
    io::{self, Read},
};

use model::{
    Key, Kind,
    validate::{self, Problem},
};

use crate::{
    console::Console,
    defaults,
    manifest::{self, Document},
};

/// A document that names a resource.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) key: Key,
    pub(crate) document: Document,
}

/// What is left of the manifests.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    /// In the order in which to write them.
    pub(crate) candidates: Vec<Candidate>,
    /// Documents that were told about and left out.
    pub(crate) rejected: usize,
}

/// Which documents are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// Those that are right in every field: they are to be written.
    Valid,
    /// Those that name a resource: they are to be removed.
    Named,
}

/// Reads files and tells about everything that is wrong in them; each document stands or falls alone.
pub(crate) fn admit(
    filenames: &[String],
    namespace: &str,
    strictness: Strictness,
    stdin: &mut dyn Read,
    console: &mut Console<'_>,
) -> io::Result<Admitted> {
    let mut admitted = Admitted::default();
    for result in filenames.iter().flat_map(|name| manifest::read(name, stdin)).collect::<Vec<_>>() {
        let candidate = match result {
            Ok(mut document) => {
                defaults::spell_out_labels(&mut document.value);
                identify(document, namespace, console)?
            }
            Err(error) => {
                console.tell(&format!("error: {error}"))?;
                None
            }
        };
        match candidate {
            Some(candidate) if strictness == Strictness::Named || is_valid(&candidate, console)? => {
                admitted.candidates.push(candidate);
            }
            _ => admitted.rejected += 1,
        }
    }
    // Stable: within a kind the user's order stays.
    admitted.candidates.sort_by_key(|candidate| rank(candidate.key.kind()));
    Ok(admitted)
}

fn identify(document: Document, namespace: &str, console: &mut Console<'_>) -> io::Result<Option<Candidate>> {
    match validate::identify(&document.value, namespace) {
        Ok(key) => Ok(Some(Candidate { key, document })),
        Err(problems) => {
            for problem in problems {
                console.tell(&format!("error: {}: {problem}", document.origin(&problem.path)))?;
            }
            Ok(None)
        }
    }
}

fn is_valid(candidate: &Candidate, console: &mut Console<'_>) -> io::Result<bool> {
    let report = validate::validate(candidate.key.kind(), &candidate.document.value);
    for warning in &report.warnings {
        console.tell(&format!("warning: {}", candidate.describe(warning)))?;
    }
    for problem in &report.problems {
        console.tell(&format!("error: {}", candidate.describe(problem)))?;
    }
    Ok(report.problems.is_empty())
}

impl Candidate {
    /// A problem with its file, line and resource.
    pub(crate) fn describe(&self, problem: &Problem) -> String {
        format!("{}: {}: {problem}", self.document.origin(&problem.path), self.key)
    }
}

/// Runs of candidates that can be written at the same time, in the order in which the runs must be.
pub(crate) fn runs(candidates: &[Candidate]) -> Vec<&[Candidate]> {
    let mut runs = Vec::new();
    let mut rest = candidates;
    while let Some(first) = rest.first() {
        let mut keys = HashSet::new();
        // Pools are compared with the pools before them.
        let same_rank = |key: &Key| rank(key.kind()) == rank(first.key.kind()) && key.kind() != Kind::IpPool;
        let together =
            rest.iter().map(|candidate| &candidate.key).take_while(|key| same_rank(key) && keys.insert(*key));
        let length = together.count().max(1);
        let (run, after) = rest.split_at(length);
        runs.push(run);
        rest = after;
    }
    runs
}

/// What others refer to comes first, and policies come before the endpoints that they protect.
fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::ClusterInformation | Kind::FelixConfiguration => 0,
        Kind::Namespace => 1,
        Kind::ServiceAccount | Kind::Profile | Kind::Tier => 2,
        Kind::Node | Kind::IpPool | Kind::IpamBlock => 3,
        Kind::GlobalNetworkSet | Kind::NetworkSet => 4,
        Kind::GlobalNetworkPolicy | Kind::NetworkPolicy | Kind::KubernetesNetworkPolicy => 5,
        Kind::HostEndpoint | Kind::WorkloadEndpoint | Kind::Pod => 6,
    }
}
