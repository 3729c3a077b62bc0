//! What holds for every document, however odd.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{Key, kubernetes, resource::Resource};

/// Words that mean something somewhere, so that odd documents get past the first checks.
const WORDS: [&str; 24] = [
    "spec",
    "metadata",
    "name",
    "namespace",
    "labels",
    "ingress",
    "egress",
    "action",
    "Allow",
    "source",
    "nets",
    "ports",
    "selector",
    "podSelector",
    "matchLabels",
    "from",
    "ipBlock",
    "cidr",
    "except",
    "10.0.0.0/8",
    "TCP",
    "a",
    "all()",
    "status",
];

fn odd_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(WORDS.to_vec());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

fn key_of(kind: Kind) -> Key {
    if kind.is_namespaced() { Key::namespaced(kind, "shop", "a") } else { Key::global(kind, "a") }
}

fn document(kind: Kind, metadata: &Value, spec: &Value) -> Value {
    json!({"apiVersion": api_version(kind), "kind": api_kind(kind), "metadata": metadata, "spec": spec})
}

proptest! {
    // Every case goes through every kind.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_panics(spec in odd_value(), metadata in odd_value()) {
        for kind in Kind::ALL {
            let document = document(kind, &metadata, &spec);
            let _ = identify(&document, "shop");
            let _ = validate(kind, &document);
            let _ = kubernetes::project(&key_of(kind), document.to_string().as_bytes());
        }
    }

    #[test]
    fn what_is_accepted_can_be_read_by_agents(spec in odd_value()) {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::IpamBlock) {
            let document = document(kind, &json!({"name": "a"}), &spec);
            if !validate(kind, &document).problems.is_empty() || spec.is_null() {
                continue;
            }
            let key = key_of(kind);
            let projected = kubernetes::project(&key, document.to_string().as_bytes());
            let projected = projected.map_err(|error| TestCaseError::fail(error.to_string()))?;
            if let Some(value) = projected {
                prop_assert!(Resource::parse(&key, &value).is_ok(), "{}: {}", key, document);
            }
        }
    }
}
