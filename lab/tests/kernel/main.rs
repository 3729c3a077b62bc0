//! The kernel means what the intent says: made-up intents are programmed by the real dataplane, and real packets
//! between pods of one node must meet what calc's verdict is for them.
//!
//! Needs root, or a kernel that lets users make network namespaces; the error says so.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod generate;
mod world;

use calc::verdict::{Direction, Packet, Transport, evaluate};
use lab::net::probe::Probe;
use model::intent::{NodeIntent, Protocol};
use proptest::{
    prelude::*,
    test_runner::{FileFailurePersistence, TestCaseError, TestRunner},
};

use crate::world::{Flow, World};

/// Intents tried in an ordinary run, each half a second; `PROPTEST_CASES` raises it for a long one.
const CASES: u32 = 24;

/// Steps that make a failure small.
const MAX_SHRINK_STEPS: u32 = 150;

/// Probes leave from ephemeral ports; made-up rules treat all of those alike.
const SOURCE_PORT: u16 = 40_000;

#[test]
fn the_kernel_decides_as_the_verdict_does() {
    let seeds = FileFailurePersistence::Direct(concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/kernel.txt"));
    let config = ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        max_shrink_iters: MAX_SHRINK_STEPS,
        failure_persistence: Some(Box::new(seeds)),
        ..ProptestConfig::default()
    };
    let world = std::cell::RefCell::new(World::new(&generate::open()).expect("a laboratory"));
    let result = TestRunner::new(config).run(&generate::intent(), |intent| {
        let mut world = world.borrow_mut();
        world.enforce(&intent).expect("an intent that the kernel can enforce");
        check(&world, &intent)
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

fn check(world: &World, intent: &NodeIntent) -> Result<(), TestCaseError> {
    let flows = world::flows();
    let wanted: Vec<bool> = flows.iter().map(|flow| is_allowed(intent, flow)).collect();
    let answered = world.probe(&flows, &wanted).expect("probes can be sent");
    for ((flow, wanted), answered) in flows.iter().zip(wanted).zip(answered) {
        let [egress, ingress] = verdicts(intent, flow);
        prop_assert_eq!(answered, wanted, "{}; the sender's: {}; the receiver's: {}", flow, egress, ingress);
    }
    Ok(())
}

fn is_allowed(intent: &NodeIntent, flow: &Flow) -> bool {
    verdicts(intent, flow).iter().all(|verdict| verdict.allowed)
}

fn verdicts(intent: &NodeIntent, flow: &Flow) -> [calc::verdict::Verdict; 2] {
    let (protocol, transport) = match flow.probe {
        Probe::Tcp(port) => (Protocol::TCP, Transport::Ports { source: SOURCE_PORT, destination: port }),
        Probe::Udp(port) => (Protocol::UDP, Transport::Ports { source: SOURCE_PORT, destination: port }),
        Probe::Ping if flow.source.is_ipv4() => (Protocol::ICMP, Transport::Icmp { icmp_type: 8, code: 0 }),
        Probe::Ping => (Protocol::ICMPV6, Transport::Icmp { icmp_type: 128, code: 0 }),
    };
    let packet = Packet { source: flow.source, destination: flow.destination, protocol, transport };
    [
        evaluate(intent, &world::endpoint_id(flow.from), Direction::Egress, &packet),
        evaluate(intent, &world::endpoint_id(flow.to), Direction::Ingress, &packet),
    ]
}
