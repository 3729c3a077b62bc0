//! The import fences: which room may know which, and which may know which outside crate.
//!
//! Read from `cargo metadata`, so that a fence cannot be climbed by a renamed or target-specific dependency.
//! Dev-dependencies are free: a test may stand anywhere.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::run;

/// Rooms in rows. A room may import vocabulary (row 0, in the order given) and rooms of a lower row.
const ROWS: &[&[&str]] = &[
    &["selector", "model", "proto", "pki", "settings", "telemetry"],
    &["calc"],
    &["datastore-adapters"],
    &["typha"],
    &["felix-client"],
    &["dataplane"],
    &["felix", "cattailctl"],
    &["lab", "loadtest", "fuzz", "xtask"],
];

/// Imports that the rows would allow and the design does not: (room, what it must not know, why).
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("typha", "calc", "typha does not know what a policy means"),
    ("felix-client", "typha", "server and client meet in proto only"),
    ("felix-client", "datastore-adapters", "agents know typha, not the datastore behind it"),
    ("dataplane", "felix-client", "the dataplane knows intent, not where it comes from"),
    ("dataplane", "proto", "the dataplane knows intent, not where it comes from"),
    ("dataplane", "selector", "selectors are resolved before the dataplane"),
    ("felix", "typha", "server and client meet in proto only"),
];

/// Outside crates that only some rooms may import: (crates, rooms, why).
const OUTSIDE: &[(&[&str], &[&str], &str)] = &[
    (&["etcd-client", "kube", "k8s-openapi", "redb"], &["datastore-adapters"], "datastores stay behind their adapters"),
    (
        &["tonic", "prost", "tonic-prost"],
        &["proto", "typha", "felix-client", "datastore-adapters"],
        "gRPC stays at the ends of the wire",
    ),
    (&["netlink-sys", "rtnetlink"], &["dataplane"], "netlink stays in the dataplane"),
    (
        &["clap"],
        // `settings` reads files and variables by looking into the definitions of binaries.
        &["settings", "datastore-adapters", "typha", "felix", "cattailctl", "lab", "loadtest", "xtask"],
        "command lines belong to binaries",
    ),
    (
        &["opentelemetry", "opentelemetry_sdk", "opentelemetry-otlp", "tracing-opentelemetry", "tracing-subscriber"],
        &["telemetry"],
        "a process tells what it does in one way",
    ),
    (&["rcgen", "x509-parser"], &["pki"], "certificates are made and read in one place"),
];

/// Rooms without a runtime.
const NO_RUNTIME: &[&str] = &["selector", "model", "calc"];

pub(super) fn check() -> Result<Vec<String>> {
    let mut metadata = run::cargo(["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&run::output(&mut metadata)?).context("cargo metadata is no JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let imports = imports(package);
        if row(name).is_none() {
            complaints.push(format!("crate {name} has no place in the rows of xtask/src/tidy/fences.rs"));
        }
        complaints.extend(imports.iter().filter_map(|import| complaint(name, import)));
    }
    Ok(complaints)
}

fn imports(package: &Value) -> BTreeSet<&str> {
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .filter_map(|dependency| dependency["name"].as_str())
        .collect()
}

/// A room's row and place in it.
fn row(name: &str) -> Option<(usize, usize)> {
    ROWS.iter()
        .enumerate()
        .find_map(|(row, rooms)| rooms.iter().position(|room| *room == name).map(|place| (row, place)))
}

fn complaint(room: &str, import: &str) -> Option<String> {
    if let Some((_, _, why)) = FORBIDDEN.iter().find(|(from, to, _)| *from == room && *to == import) {
        return Some(format!("{room} must not import {import}: {why}"));
    }
    if import == "tokio" && NO_RUNTIME.contains(&room) {
        return Some(format!("{room} must not import tokio: it is pure"));
    }
    if let Some((_, rooms, why)) = OUTSIDE.iter().find(|(crates, _, _)| crates.contains(&import)) {
        let allowed = rooms.contains(&room);
        return (!allowed).then(|| format!("{room} must not import {import}: {why}"));
    }
    let (from, to) = (row(room)?, row(import)?);
    let vocabulary = to.0 == 0 && (from.0 > 0 || to.1 < from.1);
    (!vocabulary && to.0 >= from.0).then(|| format!("{room} must not import {import}: data flows the other way"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_hold_in_both_directions() {
        assert_eq!(complaint("typha", "model"), None);
        assert_eq!(complaint("model", "selector"), None);
        assert!(complaint("selector", "model").is_some());
        assert!(complaint("model", "calc").is_some());
        assert!(complaint("typha", "felix-client").is_some());
        assert!(complaint("felix-client", "typha").is_some());
        assert!(complaint("calc", "tokio").is_some());
        assert!(complaint("dataplane", "tonic").is_some());
        assert!(complaint("felix-client", "rtnetlink").is_some());
        assert_eq!(complaint("dataplane", "rtnetlink"), None);
    }
}
