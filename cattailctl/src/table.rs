//! Resources as tables, with calicoctl's columns.

use comfy_table::{ContentArrangement, Table, presets};
use model::Kind;
use serde_json::Value;

use crate::get::Shown;

/// Longer cells would push the others off the screen.
const MAX_CELL_CHARS: usize = 80;

/// A column: its header, and where its cells come from.
type Column = (&'static str, fn(&Shown) -> String);

/// One table for resources of one kind.
pub(crate) fn render(kind: Kind, shown: &[Shown], is_wide: bool, all_namespaces: bool) -> String {
    let mut columns: Vec<Column> = Vec::new();
    if all_namespaces && kind.is_namespaced() {
        columns.push(("NAMESPACE", |shown| shown.key.namespace().unwrap_or_default().to_owned()));
    }
    columns.extend(columns_of(kind).iter().filter(|(wide_only, _)| is_wide || !wide_only).map(|(_, column)| *column));
    if is_wide {
        columns.push(("REVISION", |shown| {
            shown.revision.map_or_else(|| "(built in)".to_owned(), |revision| revision.to_string())
        }));
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(header, _)| *header));
    for row in shown {
        table.add_row(columns.iter().map(|(_, cell)| shorten(&cell(row))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.trim_fmt() + "\n"
}

fn shorten(cell: &str) -> String {
    if cell.chars().count() <= MAX_CELL_CHARS {
        return cell.to_owned();
    }
    cell.chars().take(MAX_CELL_CHARS - 1).chain(['…']).collect()
}

/// Columns with whether they are for wide tables only.
fn columns_of(kind: Kind) -> &'static [(bool, Column)] {
    const NAME: (bool, Column) = (false, ("NAME", |shown| shown.key.name().to_owned()));
    const TIER: (bool, Column) = (false, ("TIER", |shown| field(shown, "tier")));
    const ORDER: (bool, Column) = (true, ("ORDER", |shown| field(shown, "order")));
    const SELECTOR: (bool, Column) = (true, ("SELECTOR", |shown| field(shown, "selector")));
    const NODE: (bool, Column) = (false, ("NODE", |shown| field(shown, "node")));
    const PROFILES: (bool, Column) = (true, ("PROFILES", |shown| field(shown, "profiles")));
    const INTERFACE: Column = ("INTERFACE", |shown| field(shown, "interfaceName"));
    match kind {
        Kind::GlobalNetworkPolicy | Kind::NetworkPolicy => &[NAME, TIER, ORDER, SELECTOR],
        Kind::GlobalNetworkSet | Kind::NetworkSet => &[NAME, (true, ("NETS", |shown| field(shown, "nets")))],
        Kind::Tier => &[
            NAME,
            (false, ("ORDER", |shown| field(shown, "order"))),
            (true, ("DEFAULTACTION", |shown| field(shown, "defaultAction"))),
        ],
        Kind::Profile => &[NAME, (true, ("LABELS", |shown| field(shown, "labelsToApply")))],
        Kind::HostEndpoint => {
            &[NAME, NODE, (true, INTERFACE), (true, ("IPS", |shown| field(shown, "expectedIPs"))), PROFILES]
        }
        Kind::WorkloadEndpoint => &[
            (true, ("NAME", |shown| shown.key.name().to_owned())),
            (false, ("WORKLOAD", workload)),
            NODE,
            (false, ("NETWORKS", |shown| field(shown, "ipNetworks"))),
            (false, INTERFACE),
            PROFILES,
            (true, ("NATS", |shown| field(shown, "ipNATs"))),
        ],
        Kind::IpPool => &[
            NAME,
            (false, ("CIDR", |shown| field(shown, "cidr"))),
            (true, ("NAT", |shown| flag(shown, "natOutgoing"))),
            (true, ("IPIPMODE", |shown| field(shown, "ipipMode"))),
            (true, ("VXLANMODE", |shown| field(shown, "vxlanMode"))),
            (true, ("DISABLED", |shown| flag(shown, "disabled"))),
            (true, ("DISABLEBGPEXPORT", |shown| flag(shown, "disableBGPExport"))),
            (false, ("SELECTOR", |shown| field(shown, "nodeSelector"))),
            (true, ("ASSIGNMENTMODE", |shown| field(shown, "assignmentMode"))),
        ],
        Kind::Node => &[
            NAME,
            (true, ("ASN", |shown| at(shown, "/spec/bgp/asNumber").unwrap_or_else(|| "(64512)".to_owned()))),
            (true, ("IPV4", |shown| at(shown, "/spec/bgp/ipv4Address").unwrap_or_default())),
            (true, ("IPV6", |shown| at(shown, "/spec/bgp/ipv6Address").unwrap_or_default())),
        ],
        Kind::ClusterInformation => &[
            NAME,
            (false, ("CLUSTERGUID", |shown| field(shown, "clusterGUID"))),
            (false, ("CLUSTERTYPE", |shown| field(shown, "clusterType"))),
            (false, ("CALICOVERSION", |shown| field(shown, "calicoVersion"))),
            (false, ("DATASTOREREADY", |shown| field(shown, "datastoreReady"))),
        ],
        Kind::Pod => &[
            NAME,
            (false, ("NODE", |shown| field(shown, "nodeName"))),
            (false, ("IP", pod_address)),
            (true, ("SERVICEACCOUNT", |shown| field(shown, "serviceAccountName"))),
            (true, ("LABELS", labels)),
        ],
        Kind::KubernetesNetworkPolicy => &[
            NAME,
            (false, ("POD-SELECTOR", |shown| at(shown, "/spec/podSelector/matchLabels").unwrap_or_default())),
            (true, ("TYPES", |shown| field(shown, "policyTypes"))),
        ],
        Kind::Namespace | Kind::ServiceAccount => &[NAME, (true, ("LABELS", labels))],
        Kind::FelixConfiguration | Kind::IpamBlock => &[NAME],
    }
}

fn field(shown: &Shown, name: &str) -> String {
    shown.document.get("spec").and_then(|spec| spec.get(name)).map(text).unwrap_or_default()
}

fn flag(shown: &Shown, name: &str) -> String {
    let value = field(shown, name);
    if value.is_empty() { "false".to_owned() } else { value }
}

fn at(shown: &Shown, pointer: &str) -> Option<String> {
    shown.document.pointer(pointer).map(text)
}

fn labels(shown: &Shown) -> String {
    at(shown, "/metadata/labels").unwrap_or_default()
}

fn workload(shown: &Shown) -> String {
    let named = ["pod", "containerID", "workload"].map(|name| field(shown, name));
    named.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
}

fn pod_address(shown: &Shown) -> String {
    let annotation = "/metadata/annotations/cni.projectcalico.org~1podIPs";
    at(shown, "/status/podIP").or_else(|| at(shown, annotation)).unwrap_or_default()
}

/// Lists and objects in one cell.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}
