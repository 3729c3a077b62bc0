//! What users call kinds: Calico's names and short names, and Kubernetes'.

use anyhow::bail;
use model::{Kind, validate::api_version};

/// Singular first: it is what `-o name` prints. Where a name could mean Calico's or Kubernetes' own kind, it means
/// Calico's, as in calicoctl.
const NAMES: [(Kind, &[&str]); 16] = [
    (Kind::ClusterInformation, &["clusterinformation", "clusterinformations", "clusterinfo", "clusterinfos"]),
    (Kind::FelixConfiguration, &["felixconfiguration", "felixconfigurations", "felixconfig", "felixconfigs"]),
    (Kind::GlobalNetworkPolicy, &["globalnetworkpolicy", "globalnetworkpolicies", "gnp", "gnps"]),
    (Kind::GlobalNetworkSet, &["globalnetworkset", "globalnetworksets", "gnetset", "gnetsets"]),
    (Kind::HostEndpoint, &["hostendpoint", "hostendpoints", "hep", "heps"]),
    (Kind::IpPool, &["ippool", "ippools", "ipp", "ipps", "pool", "pools"]),
    (
        Kind::KubernetesNetworkPolicy,
        &["kubernetesnetworkpolicy", "kubernetesnetworkpolicies", "knp", "knps", "netpol", "netpols"],
    ),
    (Kind::Namespace, &["namespace", "namespaces", "ns"]),
    (Kind::NetworkPolicy, &["networkpolicy", "networkpolicies", "policy", "np", "nps", "policies", "pol", "pols"]),
    (Kind::NetworkSet, &["networkset", "networksets", "netset", "netsets"]),
    (Kind::Node, &["node", "nodes", "no", "nos"]),
    (Kind::Pod, &["pod", "pods", "po"]),
    (Kind::Profile, &["profile", "profiles", "pro", "pros"]),
    (Kind::ServiceAccount, &["serviceaccount", "serviceaccounts", "sa", "sas"]),
    (Kind::Tier, &["tier", "tiers"]),
    (Kind::WorkloadEndpoint, &["workloadendpoint", "workloadendpoints", "wep", "weps"]),
];

/// The kind that a user means, in any case; `networkpolicy.networking.k8s.io` names the API group too.
pub(crate) fn parse(text: &str) -> anyhow::Result<Kind> {
    let lower = text.to_ascii_lowercase();
    let (name, group) = lower.split_once('.').map_or((lower.as_str(), None), |(name, group)| (name, Some(group)));
    let Some((kind, _)) = NAMES.iter().find(|(_, names)| names.contains(&name)) else {
        let known: Vec<&str> = NAMES.iter().map(|(_, names)| names[0]).collect();
        bail!("{text:?} is not a known kind; want one of {}", known.join(", "));
    };
    match (kind, group) {
        (Kind::NetworkPolicy, Some("networking.k8s.io")) => Ok(Kind::KubernetesNetworkPolicy),
        (kind, Some(group)) if group_of(*kind) != group => bail!("{text:?}: there is no {name} in API group {group}"),
        (kind, _) => Ok(*kind),
    }
}

fn group_of(kind: Kind) -> &'static str {
    api_version(kind).split_once('/').map_or("", |(group, _)| group)
}

/// The name to print, which [`parse`] reads.
pub(crate) fn singular(kind: Kind) -> &'static str {
    NAMES.iter().find(|(named, _)| *named == kind).map_or(kind.as_str(), |(_, names)| names[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_one_kind() {
        for (kind, names) in NAMES {
            assert_eq!(singular(kind), names[0]);
            for name in names {
                assert_eq!(parse(name).ok(), Some(kind), "{name}");
                assert_eq!(parse(&name.to_uppercase()).ok(), Some(kind), "{name}");
            }
        }
    }

    #[test]
    fn groups_tell_the_two_network_policies_apart() {
        assert_eq!(parse("networkpolicies.networking.k8s.io").ok(), Some(Kind::KubernetesNetworkPolicy));
        assert_eq!(parse("networkpolicies.projectcalico.org").ok(), Some(Kind::NetworkPolicy));
        assert!(parse("tiers.networking.k8s.io").is_err());
        assert!(parse("gizmo").is_err());
    }
}
