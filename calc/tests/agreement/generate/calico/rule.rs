//! Made-up rules. What the API refuses (ports without a protocol that has them) is not made up.

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

use super::{NAMESPACE_SELECTORS, SELECTORS, SERVICE_ACCOUNT_SELECTORS};
use crate::generate::{object, one_of};

const NETS: &[&str] = &["10.0.0.0/24", "10.0.1.0/24", "10.0.0.1/32", "192.0.2.0/25", "10.0.0.0/8"];
const NETS_V6: &[&str] = &["fd00::/64", "fd00::1/128", "2001:db8::/32"];

/// What a rule asks besides its two sides.
#[derive(Clone, Debug)]
enum Payload {
    Anything,
    Not(&'static str),
    Ported(&'static str),
    NamedPortsOnly,
    Icmp { code: Option<u8>, negated: bool },
    Numbered,
}

/// Any rule.
pub(crate) fn rule() -> impl Strategy<Value = Value> {
    let payload = prop_oneof![
        4 => Just(Payload::Anything),
        1 => one_of(&["TCP", "UDP", "ICMP"]).prop_map(Payload::Not),
        5 => one_of(&["TCP", "UDP", "SCTP", "tcp"]).prop_map(Payload::Ported),
        1 => Just(Payload::NamedPortsOnly),
        1 => (option::of(0..2_u8), any::<bool>()).prop_map(|(code, negated)| Payload::Icmp { code, negated }),
        1 => Just(Payload::Numbered),
    ];
    let action = prop_oneof![
        5 => Just("Allow"),
        3 => Just("Deny"),
        2 => Just("Pass"),
        1 => Just("Log"),
    ];
    (action, payload, prop::bool::weighted(0.15)).prop_flat_map(|(action, payload, v6)| {
        (entity(&payload, v6), entity(&payload, v6)).prop_map(move |(source, destination)| {
            let mut rule = payload_fields(&payload, v6);
            rule["action"] = action.into();
            rule["source"] = source;
            rule["destination"] = destination;
            rule
        })
    })
}

fn payload_fields(payload: &Payload, v6: bool) -> Value {
    let mut fields = match payload {
        Payload::Anything | Payload::NamedPortsOnly => json!({}),
        Payload::Not(protocol) => json!({ "notProtocol": protocol }),
        Payload::Ported(protocol) => json!({ "protocol": protocol }),
        Payload::Icmp { code, negated } => {
            let message = object([("type", Some(8.into())), ("code", code.map(Value::from))]);
            let field = if *negated { "notICMP" } else { "icmp" };
            json!({ "protocol": if v6 { "ICMPv6" } else { "ICMP" }, field: message })
        }
        Payload::Numbered => json!({ "protocol": 47 }),
    };
    if v6 {
        fields["ipVersion"] = 6.into();
    }
    fields
}

/// What a rule asks of one side: mostly nothing or one thing, since what asks for much matches nothing.
fn entity(payload: &Payload, v6: bool) -> impl Strategy<Value = Value> + use<> {
    let addressed = prop_oneof![
        3 => Just(json!({})),
        3 => one_of(SELECTORS).prop_map(|selector| json!({ "selector": selector })),
        4 => fields(v6, 0.2),
        1 => fields(v6, 0.5),
    ];
    (addressed, ports(payload), ports(payload)).prop_map(|(mut entity, ports, not_ports)| {
        if let Some(ports) = ports {
            entity["ports"] = ports.into();
        } else if let Some(ports) = not_ports {
            entity["notPorts"] = ports.into();
        }
        entity
    })
}

/// Each field with this probability.
fn fields(v6: bool, probability: f64) -> impl Strategy<Value = Value> {
    let nets = if v6 { NETS_V6 } else { NETS };
    let maybe_nets = move || option::weighted(probability, vec(one_of(nets), 1..3));
    let namespaces = prop_oneof![4 => one_of(NAMESPACE_SELECTORS), 1 => Just("global()")];
    let selectors = (
        option::weighted(probability, one_of(SELECTORS)),
        option::weighted(probability, one_of(SELECTORS)),
        option::weighted(probability, namespaces),
        option::weighted(probability, service_accounts()),
    );
    (maybe_nets(), maybe_nets(), selectors).prop_map(
        |(nets, not_nets, (selector, not_selector, namespaces, accounts))| {
            object([
                ("nets", nets.map(Value::from)),
                ("notNets", not_nets.map(Value::from)),
                ("selector", selector.map(Value::from)),
                ("notSelector", not_selector.map(Value::from)),
                ("namespaceSelector", namespaces.map(Value::from)),
                ("serviceAccounts", accounts),
            ])
        },
    )
}

/// By name, by label, or both; neither would ask nothing.
fn service_accounts() -> impl Strategy<Value = Value> {
    let names = || vec(one_of(&["sa1", "sa2"]), 1..2).prop_map(Some);
    let selector = || one_of(SERVICE_ACCOUNT_SELECTORS).prop_map(Some);
    prop_oneof![(names(), Just(None)), (Just(None), selector()), (names(), selector())].prop_map(|(names, selector)| {
        object([("names", names.map(Value::from)), ("selector", selector.map(Value::from))])
    })
}

/// Ports as this payload may have them.
fn ports(payload: &Payload) -> BoxedStrategy<Option<Vec<Value>>> {
    let named = one_of(&["web", "dns"]).prop_map(Value::from).boxed();
    let any = prop_oneof![
        2 => prop::sample::select(vec![json!(80), json!(53), json!("80:81"), json!("8000:9000")]),
        1 => named.clone(),
    ]
    .boxed();
    match payload {
        Payload::Ported(_) => option::weighted(0.35, vec(any, 1..3)).boxed(),
        Payload::NamedPortsOnly => option::weighted(0.5, vec(named, 1..2)).boxed(),
        _ => Just(None).boxed(),
    }
}
