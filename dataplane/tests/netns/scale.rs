//! A node with much to enforce. Times are printed, not judged: they are the benchmark's business.

use std::time::Instant;

use dataplane::Config;
use model::intent::{Delta, RuleAction::*, SetChange, SetMember};

use crate::{intent::*, world::World};

const POLICIES: u32 = 2000;
const RULES: u16 = 10;
const MEMBERS: u32 = 100;
const ENDPOINTS: u32 = 100;

fn intent() -> Delta {
    let mut deltas = Vec::new();
    for number in 0..POLICIES {
        let members = (0..MEMBERS).map(|member| format!("10.{}.{}.{}/32", number >> 8, number & 255, member * 2));
        let members: Vec<_> = members.collect();
        let set = format!("s:{number}");
        deltas.push(with_set(&set, net_set(&members.iter().map(String::as_str).collect::<Vec<_>>())));
        let rules = (0..RULES).map(|port| {
            let mut rule = tcp(Allow, port);
            rule.source.ip_sets = vec![set.as_str().into()];
            rule
        });
        deltas.push(with_policy(&format!("P{number}"), rules.collect(), vec![]));
    }
    for number in 0..ENDPOINTS {
        let policies: Vec<_> =
            (0..POLICIES).filter(|policy| policy % ENDPOINTS == number).map(|policy| format!("P{policy}")).collect();
        let policies: Vec<_> = policies.iter().map(String::as_str).collect();
        let address = format!("10.65.1.{number}");
        deltas.push(workload(&number.to_string(), &[&address], &[tier(&policies)], &[]));
    }
    merge(deltas)
}

#[test]
fn many_sets_and_policies_load_and_change() {
    let mut world = World::new();
    let intent = intent();
    let time = |world: &mut World, what: &str, delta: &Delta| {
        let started = Instant::now();
        let applied = world.apply(delta);
        println!("{what}: {:?}, {} messages", started.elapsed(), applied.rule_changes);
        applied
    };
    let loaded = time(&mut world, "load", &intent);
    assert!(loaded.rule_changes > (POLICIES * u32::from(RULES)) as usize);
    let member = SetMember::Net("10.200.0.1/32".parse().unwrap());
    let one_more = SetChange::Update { added: [member].into(), removed: [].into() };
    assert_eq!(time(&mut world, "one member more", &with_set("s:7", one_more)).rule_changes, 1);
    let chain = with_policy("P7", vec![tcp(Deny, 1)], vec![]);
    assert_eq!(time(&mut world, "one policy changed", &chain).rule_changes, 2);
    world.restart(Config::default());
    let restarted = time(&mut world, "restart, two changes undone", &intent);
    assert_eq!(restarted.rule_changes, 1 + 1 + usize::from(RULES));
}
