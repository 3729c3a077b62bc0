//! Reading cases, and telling right cells from wrong ones.

use serde_json::{Value, json};

use super::*;

/// Two pods, `shop/web` and `shop/db`; only `web` reaches `db`, on TCP 5432, after the first of two steps.
fn case(expected_first: &Value, expected_second: &Value) -> Case {
    let pod = |name: &str, ip: &str| {
        let ports = json!(["sql/TCP/5432", "dns/UDP/53"]);
        json!({ "Namespace": "shop", "Name": name, "IP": ip, "Labels": { "app": name }, "Ports": ports })
    };
    let policy = json!({
        "metadata": { "namespace": "shop", "name": "db" },
        "spec": {
            "podSelector": { "matchLabels": { "app": "db" } },
            "ingress": [{
                "from": [{ "podSelector": { "matchLabels": { "app": "web" } } }],
                "ports": [{ "port": "sql" }],
            }],
        },
    });
    let step = |policies: &Value, expected: &Value| {
        json!({
            "Namespaces": { "shop": { "team": "a" } },
            "Pods": [pod("web", "10.9.0.1"), pod("db", "10.9.0.2")],
            "Policies": policies,
            "Expected": expected,
        })
    };
    let steps = [step(&json!([]), expected_first), step(&json!([policy]), expected_second)];
    serde_json::from_value(json!({ "Index": 1, "Description": "a shop", "Tags": null, "Steps": steps }))
        .expect("a case")
}

fn cell(from: &str, to: &str, port: &Value, protocol: &str, ingress: &str) -> Value {
    json!({
        "From": from, "To": to, "Port": port, "Protocol": protocol,
        "Ingress": ingress, "Egress": "allowed", "Combined": ingress,
    })
}

#[test]
fn cells_that_agree_are_counted() {
    let open = json!([cell("shop/web", "shop/db", &json!(53), "UDP", "allowed")]);
    let closed = json!([
        cell("shop/web", "shop/db", &json!(5432), "TCP", "allowed"),
        cell("shop/web", "shop/db", &json!("sql"), "TCP", "allowed"),
        cell("shop/web", "shop/db", &json!(53), "UDP", "blocked"),
        cell("shop/web", "shop/db", &json!(5432), "SCTP", "blocked"),
        cell("shop/db", "shop/db", &json!(5432), "TCP", "blocked"),
        cell("shop/db", "shop/web", &json!(9999), "TCP", "allowed"),
    ]);
    let tally = evaluation::run(&case(&open, &closed)).expect("a readable case");
    assert_eq!((tally.checked, tally.failed), (7, 0), "{}", tally.report());
}

#[test]
fn a_cell_that_disagrees_is_told_with_the_rule_that_decided() {
    let closed = json!([cell("shop/web", "shop/db", &json!(53), "UDP", "allowed")]);
    let tally = evaluation::run(&case(&json!([]), &closed)).expect("a readable case");
    assert_eq!((tally.checked, tally.failed), (1, 1));
    let report = tally.report();
    assert!(report.contains("step 2: shop/web -> shop/db UDP 53"), "{report}");
    assert!(report.contains("the end of tier default"), "{report}");
}

#[test]
fn a_cell_of_a_pod_that_is_not_there_is_an_error() {
    let lost = json!([cell("shop/web", "shop/cache", &json!(53), "UDP", "allowed")]);
    let error = evaluation::run(&case(&lost, &json!([]))).expect_err("there is no such pod");
    assert!(format!("{error:#}").contains("case 1, step 1: a cell names shop/cache"), "{error:#}");
}

/// Needs root, or a kernel that lets users make network namespaces; the error says so.
#[test]
fn packets_meet_what_policy_says() {
    let open = json!([
        cell("shop/web", "shop/db", &json!(53), "UDP", "allowed"),
        cell("shop/db", "shop/web", &json!(5432), "TCP", "allowed"),
    ]);
    let closed = json!([
        cell("shop/web", "shop/db", &json!("sql"), "TCP", "allowed"),
        cell("shop/web", "shop/db", &json!(53), "UDP", "blocked"),
        cell("shop/web", "shop/db", &json!(5432), "SCTP", "blocked"),
        cell("shop/db", "shop/db", &json!(5432), "TCP", "blocked"),
        cell("shop/db", "shop/web", &json!(53), "UDP", "blocked"),
    ]);
    let tally = packets::run(&case(&open, &closed)).expect("a laboratory");
    assert_eq!((tally.checked, tally.skipped, tally.failed), (5, 2, 1), "{}", tally.report());
    let report = tally.report();
    assert!(report.contains("step 2: shop/db -> shop/web udp/53: must be blocked, was Answered"), "{report}");
}
