//! Typha's state as a table and a sentence.

use comfy_table::{ContentArrangement, Table, presets};

use super::{
    certificates::least_left,
    health::{Health, Replica},
    state,
};

/// Enough of a digest to see that two differ.
const DIGEST_CHARS: usize = 12;

/// A row for each replica, and how far the last change has come.
pub(super) fn table(health: &Health) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "REPLICA",
        "ADMIN",
        "CLIENTS",
        "KEYS",
        "REVISION",
        "BEHIND",
        "DIGEST",
        "UPSTREAM",
        "CERTIFICATE",
        "STATE",
    ]);
    for replica in &health.replicas {
        table.add_row(row(replica));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    format!("{}\n\n{}\n", table.trim_fmt(), health.nodes.sentence())
}

fn row(replica: &Replica) -> [String; 10] {
    let address = replica.address.clone();
    let Some(status) = &replica.status else {
        let [unknown, clients, keys, revision, behind, digest, upstream, certificate] =
            [(); 8].map(|()| "-".to_owned());
        return [
            unknown,
            address,
            clients,
            keys,
            revision,
            behind,
            digest,
            upstream,
            certificate,
            "no answer".to_owned(),
        ];
    };
    let upstream = status.upstream_age_ms.map_or_else(|| "never".to_owned(), |ms| format!("{:.1}s", ms as f64 / 1e3));
    [
        status.name.clone(),
        address,
        replica.clients.to_string(),
        status.keys.to_string(),
        status.revision.to_string(),
        replica.behind.to_string(),
        status.digest.chars().take(DIGEST_CHARS).collect(),
        upstream,
        least_left(status).map_or_else(|| "-".to_owned(), |left| left.to_string()),
        state::words(status),
    ]
}
