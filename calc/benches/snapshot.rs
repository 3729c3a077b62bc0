//! How long a snapshot takes from resources to one node's intent, and what memory it holds then.
//!
//! Two shapes: many endpoints under policies that select by a marker label, and as many network sets as policies, one
//! for each other. Run with `cargo bench -p calc --bench snapshot -- [endpoints|sets] [N] [M] [LOCAL]`: N endpoints,
//! M policies, LOCAL of the endpoints on the node; all shapes at full size without arguments. Prints a JSON line each.

#![expect(clippy::expect_used, reason = "a benchmark that is wrong had better stop")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use calc::{Graph, Input, Nodes};
use model::{
    Key, Kind,
    resource::{Action, Labels, NetworkSetSpec, Object, PolicySpec, ProfileSpec, Resource, Rule, WorkloadEndpointSpec},
};
use selector::Selector;
use serde_json::json;

/// Counts the bytes that are allocated and not freed.
struct Counting;

static HELD_BYTES: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; only sizes are counted beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's demands.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const NODE: &str = "here";
const NAMESPACES: usize = 100;
/// Labels that mark one endpoint in as many as there are of them.
const MARKERS: usize = 31;
/// Prefixes of consecutive network sets.
const SET_SIZES: [usize; 10] = [1, 1, 1, 1, 2, 3, 4, 5, 100, 1000];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let number = |place: usize, default: usize| {
        arguments.get(place).map_or(default, |text| text.parse().expect("arguments: SHAPE [N] [M] [LOCAL]"))
    };
    let shape = arguments.first().map(String::as_str);
    if shape.is_none_or(|shape| shape == "endpoints") {
        run("endpoints", number(1, 250_000), number(2, 10_000), number(3, 200));
    }
    if shape.is_none_or(|shape| shape == "sets") {
        run("sets", number(1, 10_000), number(2, 10_000), number(3, 200));
    }
}

/// One snapshot; the input is made piece by piece and its making is not counted.
fn run(shape: &str, endpoints: usize, policies: usize, local: usize) {
    let mut inputs: Vec<(Key, Resource)> = match shape {
        "endpoints" => (0..policies).map(marker_policy).collect(),
        _ => (0..policies).flat_map(|number| [network_set(number), network_set_policy(number)]).collect(),
    };
    inputs.extend((0..NAMESPACES).map(namespace));
    inputs.extend((0..endpoints).map(|number| endpoint(number, if number < local { NODE } else { "elsewhere" })));

    let inputs_bytes = HELD_BYTES.load(Ordering::Relaxed);
    let mut graph = Graph::new(Nodes::One(NODE.into()));
    let (start, start_cpu) = (Instant::now(), cpu_seconds());
    for (key, resource) in inputs {
        graph.apply(&key, Input::Present(resource));
    }
    let applied = start.elapsed();
    let deltas = graph.flush();
    let (total, cpu) = (start.elapsed(), cpu_seconds() - start_cpu);
    let delta = &deltas[NODE];
    let (told_policies, told_sets, told_endpoints) = (delta.policies.len(), delta.ip_sets.len(), delta.endpoints.len());
    drop(deltas);
    let held_bytes = HELD_BYTES.load(Ordering::Relaxed);

    let churn = churn(&mut graph, endpoints);
    println!(
        "{}",
        json!({
            "scenario": format!("calc_{shape}"),
            "endpoints": endpoints,
            "local_endpoints": told_endpoints,
            "policies": told_policies,
            "sets": told_sets,
            "apply_s": applied.as_secs_f64(),
            "total_s": total.as_secs_f64(),
            "cpu_s": cpu,
            "held_mb": held_bytes as f64 / 1e6,
            "inputs_mb": inputs_bytes as f64 / 1e6,
            "churn_us": churn,
        })
    );
}

/// What this thread has used of a processor, whatever else ran meanwhile. Not known outside Linux: NaN.
fn cpu_seconds() -> f64 {
    let used = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = used.split_ascii_whitespace().next().and_then(|text| text.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}

/// Microseconds for one remote endpoint's change of address, flush included.
fn churn(graph: &mut Graph, endpoints: usize) -> f64 {
    const CHANGES: usize = 1000;
    let inputs: Vec<_> = (0..CHANGES)
        .map(|change| {
            let (key, _) = endpoint(endpoints - 1 - change % endpoints.min(CHANGES), "elsewhere");
            (key, endpoint(endpoints + change, "elsewhere").1)
        })
        .collect();
    let start = Instant::now();
    for (key, resource) in inputs {
        graph.apply(&key, Input::Present(resource));
        graph.flush();
    }
    start.elapsed().as_secs_f64() * 1e6 / CHANGES as f64
}

fn labels(pairs: impl IntoIterator<Item = (String, String)>) -> Labels {
    pairs.into_iter().collect()
}

fn endpoint(number: usize, node: &str) -> (Key, Resource) {
    let mut object = Object::<WorkloadEndpointSpec>::default();
    object.metadata.labels = labels(
        [10, 11, 20, 30, 40].map(|modulus| (format!("one-in-{modulus}"), format!("value-{}", number % modulus))),
    );
    object.metadata.labels.insert(format!("marker-{}", number % MARKERS), "true".to_owned());
    let namespace = number % NAMESPACES;
    let address = std::net::Ipv4Addr::from(0x0a00_0001 + number as u32);
    object.spec.node.push_str(node);
    object.spec.interface_name = format!("cali{number}");
    object.spec.ip_networks = vec![std::net::IpAddr::from(address).into()];
    object.spec.profiles = vec![format!("kns.namespace-{namespace}")];
    let key = Key::namespaced(Kind::WorkloadEndpoint, format!("namespace-{namespace}"), format!("pod-{number}"));
    (key, Resource::WorkloadEndpoint(object))
}

fn namespace(number: usize) -> (Key, Resource) {
    let mut object = Object::<ProfileSpec>::default();
    object.spec.labels_to_apply = labels([("pcns.projectcalico.org/name".to_owned(), format!("namespace-{number}"))]);
    (Key::global(Kind::Namespace, format!("namespace-{number}")), Resource::Profile(object))
}

fn marker_policy(number: usize) -> (Key, Resource) {
    const RULES: usize = 5;
    let selector = |place: usize| Selector::parse(&format!("has(marker-{})", place % MARKERS)).expect("a selector");
    let rules = (0..RULES).map(|rule| allow_from(selector(number + rule))).collect();
    policy(format!("policy-{number}"), selector(number), rules)
}

fn network_set_policy(number: usize) -> (Key, Resource) {
    let selector = Selector::parse(&format!("network-set-name == 'set-{number}'")).expect("a selector");
    policy(format!("policy-{number}"), Selector::all(), vec![allow_from(selector)])
}

fn network_set(number: usize) -> (Key, Resource) {
    let mut object = Object::<NetworkSetSpec>::default();
    object.metadata.labels = labels([("network-set-name".to_owned(), format!("set-{number}"))]);
    let first = 0x6400_0000 + (number / SET_SIZES.len() * SET_SIZES.iter().sum::<usize>() + number % 10 * 1000) as u32;
    let addresses =
        (0..SET_SIZES[number % SET_SIZES.len()] as u32).map(|offset| std::net::Ipv4Addr::from(first + offset));
    object.spec.nets = addresses.map(|address| std::net::IpAddr::from(address).into()).collect();
    (Key::global(Kind::GlobalNetworkSet, format!("set-{number}")), Resource::NetworkSet(object))
}

fn policy(name: String, selector: Selector, ingress: Vec<Rule>) -> (Key, Resource) {
    let spec = PolicySpec { selector, ingress, ..PolicySpec::default() };
    let object = Object { spec, ..Object::default() };
    (Key::global(Kind::GlobalNetworkPolicy, name), Resource::Policy(object))
}

fn allow_from(selector: Selector) -> Rule {
    let mut rule: Rule = serde_json::from_value(json!({"action": "Allow"})).expect("a rule");
    rule.action = Action::Allow;
    rule.source.selector = Some(selector);
    rule
}
