//! A replica's state in a few words. Pure.

use super::ask::Status;

/// What keeps clients away from a replica, or that nothing does: a word for each condition of readiness that does not hold.
pub(super) fn words(status: &Status) -> String {
    let shut = status.gates.iter().filter(|gate| gate.reason.is_some());
    let words: Vec<String> = shut.map(|gate| word(&gate.name)).collect();
    if words.is_empty() { of_old(status).to_owned() } else { words.join(", ") }
}

fn word(gate: &str) -> String {
    match gate {
        "not-draining" => "draining",
        "memory-sound" => "damaged",
        "datastore-listed" => "listing",
        "upstream-fresh" => "stale",
        "certificates-valid" => "certificate expired",
        "parts-running" => "wedged",
        // The replica is newer than this program.
        other => return format!("not ready: {other}"),
    }
    .to_owned()
}

/// From what a replica says that is too old to list its conditions.
fn of_old(status: &Status) -> &'static str {
    if status.is_draining {
        "draining"
    } else if !status.in_sync {
        "listing"
    } else if status.upstream_age_ms.is_some_and(|age_ms| age_ms > status.stale_after_ms) {
        "stale"
    } else {
        "in sync"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn words_of(more: Value) -> String {
        let mut status = json!({
            "name": "typha-a", "datastore_id": "1", "revision": 7, "digest": "d", "keys": 1, "upstream_age_ms": 1,
            "stale_after_ms": 15_000, "in_sync": true, "is_draining": false, "acks": {"revision": 7},
        });
        if let (Some(fields), Value::Object(more)) = (status.as_object_mut(), more) {
            fields.extend(more);
        }
        words(&serde_json::from_value(status).expect("a status"))
    }

    #[test]
    fn every_condition_that_does_not_hold_is_a_word() {
        let gate = |name: &str, reason: Option<&str>| json!({"name": name, "reason": reason, "for_ms": 1});
        let gates = |gates: &[Value]| words_of(json!({ "gates": gates }));
        assert_eq!(gates(&[gate("upstream-fresh", None), gate("parts-running", None)]), "in sync");
        assert_eq!(gates(&[gate("upstream-fresh", Some("x")), gate("parts-running", Some("x"))]), "stale, wedged");
        assert_eq!(gates(&[gate("certificates-valid", Some("x"))]), "certificate expired");
        assert_eq!(gates(&[gate("of-tomorrow", Some("x"))]), "not ready: of-tomorrow");
    }

    #[test]
    fn a_replica_that_lists_no_conditions_is_judged_by_the_rest() {
        assert_eq!(words_of(json!({})), "in sync");
        assert_eq!(words_of(json!({"upstream_age_ms": 15_001})), "stale");
        assert_eq!(words_of(json!({"in_sync": false, "upstream_age_ms": null})), "listing");
        assert_eq!(words_of(json!({"is_draining": true})), "draining");
    }
}
