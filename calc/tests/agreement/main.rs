//! Calc agrees with its specification: for made-up clusters, every packet meets at every endpoint what a naive
//! evaluator says, however the cluster came about.
//!
//! The evaluators ([`calico`], [`kubernetes`]) look at all resources for each packet and share no code with calc.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod calico;
mod generate;
mod history;
mod kubernetes;
mod packets;

use std::{collections::BTreeSet, net::IpAddr};

use calc::{
    Nodes,
    verdict::{Direction, Packet, evaluate},
};
use model::{
    Key,
    intent::{EndpointId, NodeIntent},
};
use proptest::{prelude::*, test_runner::FileFailurePersistence};

use crate::{history::Intents, packets::Workload};

/// Histories tried per property in an ordinary run; `PROPTEST_CASES` raises it for a long one.
const CASES: u32 = 40;

/// Steps that make a failure small; a dozen seconds in a debug build.
const MAX_SHRINK_STEPS: u32 = 1024;

fn config() -> ProptestConfig {
    let seeds =
        FileFailurePersistence::Direct(concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/agreement.txt"));
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        max_shrink_iters: MAX_SHRINK_STEPS,
        failure_persistence: Some(Box::new(seeds)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn calico_policy_means_what_its_specification_says(history in generate::history(&generate::calico::slots())) {
        let cluster = calico::Cluster::new(&history::known(&history));
        let decide = |workload: &Key, direction, packet: &Packet| calico::allows(&cluster, workload, direction, packet);
        agree(&history::intents(Nodes::All, &history), &cluster.workloads(), decide)?;
    }

    #[test]
    fn kubernetes_policy_means_what_its_specification_says(
        history in generate::history(&generate::kubernetes::slots()),
    ) {
        let cluster = kubernetes::read(&history::known(&history));
        let decide = |pod: &Key, direction, packet: &Packet| kubernetes::allows(&cluster, pod, direction, packet);
        let intents = history::intents(Nodes::All, &history::projected(&history));
        agree(&intents, &kubernetes::workloads(&cluster), decide)?;
    }

    #[test]
    fn what_cannot_be_read_opens_nothing(
        history in generate::history(&generate::calico::slots()),
        which in any::<prop::sample::Index>(),
        deeply in any::<bool>(),
    ) {
        let cluster = calico::Cluster::new(&history::known(&history));
        let decide = |workload: &Key, direction, packet: &Packet| calico::allows(&cluster, workload, direction, packet);
        let spoilt = generate::calico::spoil(&history::shortest(&history), which, deeply);
        compare(&history::intents(Nodes::All, &spoilt), &cluster.workloads(), decide, |calc, truth| !calc || truth)?;
    }

    #[test]
    fn intent_depends_on_what_exists_alone(history in generate::history(&generate::calico::slots())) {
        let grown = history::intents(Nodes::All, &history);
        let fresh = history::intents(Nodes::All, &history::shortest(&history));
        prop_assert_eq!(without_empty(grown), without_empty(fresh));
    }

    #[test]
    fn one_node_alone_computes_what_it_does_among_all(history in generate::history(&generate::calico::slots())) {
        let mut all = history::intents(Nodes::All, &history);
        for node in generate::NODES {
            let mut alone = history::intents(Nodes::One(node.into()), &history);
            prop_assert_eq!(alone.remove(node).unwrap_or_default(), all.remove(node).unwrap_or_default());
        }
    }
}

/// Nodes come into being with their first change and stay when it is undone.
fn without_empty(mut intents: Intents) -> Intents {
    intents.retain(|_, intent| *intent != NodeIntent::default());
    intents
}

/// Every packet from and to every workload meets what `decide` says, on the node that hosts it and on no other.
fn agree(
    intents: &Intents,
    workloads: &[Workload],
    decide: impl Fn(&Key, Direction, &Packet) -> bool,
) -> Result<(), TestCaseError> {
    compare(intents, workloads, decide, |calc, specified| calc == specified)
}

/// For every packet from and to every workload, what calc allows and what `decide` does are as `relate` wants.
fn compare(
    intents: &Intents,
    workloads: &[Workload],
    decide: impl Fn(&Key, Direction, &Packet) -> bool,
    relate: impl Fn(bool, bool) -> bool,
) -> Result<(), TestCaseError> {
    let outside = packets::OUTSIDE.iter().map(|address| address.parse().expect("an address"));
    let addresses: BTreeSet<IpAddr> =
        workloads.iter().flat_map(|workload| workload.addresses.iter().copied()).chain(outside).collect();
    for workload in workloads {
        let id = EndpointId(workload.key.to_string().into());
        for (node, intent) in intents {
            let hosts = **node == *workload.node;
            prop_assert_eq!(intent.endpoints.contains_key(&id), hosts, "{} on {}", id, node);
        }
        let Some(intent) = intents.get(workload.node.as_str()) else {
            return Err(TestCaseError::fail(format!("{id}: {} has no intent", workload.node)));
        };
        for direction in [Direction::Ingress, Direction::Egress] {
            for packet in workload.addresses.iter().flat_map(|own| packets::between(*own, &addresses, direction)) {
                let verdict = evaluate(intent, &id, direction, &packet);
                let specified = decide(&workload.key, direction, &packet);
                prop_assert!(
                    relate(verdict.allowed, specified),
                    "{direction:?} at {id}: {packet}; specified: {specified}; calc: {verdict}",
                );
            }
        }
    }
    Ok(())
}
