//! Tiers, pools, endpoints, pods, configuration.

use serde_json::json;

use super::{assert_told, calico};
use crate::{
    Kind,
    validate::{PROTECTED_TIERS, Problem, Report, validate, validate_change},
};

#[test]
fn protected_tiers_stay_as_they_are() {
    for tier in PROTECTED_TIERS {
        assert_told(&tier.document(), &[]);
    }
    let mut tier = PROTECTED_TIERS[1].document();
    tier["spec"] = json!({"order": 5, "defaultAction": "Pass"});
    assert_told(
        &tier,
        &[
            "spec.order: tier default is built in: its order is 1000000",
            "spec.defaultAction: tier default is built in: its defaultAction is Deny",
        ],
    );
    assert_told(
        &calico("Tier", &json!({"defaultAction": "Allow"})),
        &["spec.defaultAction: \"Allow\" is not one of Deny, Pass"],
    );
}

#[test]
fn pools_are_checked() {
    for (spec, expected) in [
        (json!({}), "spec.cidr: is missing"),
        (json!({"cidr": "10.0.0.1/16"}), "spec.cidr: 10.0.0.1/16 has bits beyond its length; want 10.0.0.0/16"),
        (json!({"cidr": "10.0.0.0/28"}), "spec.cidr: 10.0.0.0/28 is smaller than one block of /26"),
        (
            json!({"cidr": "169.254.1.0/24"}),
            "spec.cidr: 169.254.1.0/24 overlaps link-local addresses, which are not routed",
        ),
        (json!({"cidr": "fd00::/48", "blockSize": 26}), "spec.blockSize: is 26; want 116 to 128 in this pool"),
        (
            json!({"cidr": "fd00::/48", "ipipMode": "Always"}),
            "spec.ipipMode: cannot be on in a pool of IPv6; use vxlanMode",
        ),
        (
            json!({"cidr": "10.0.0.0/16", "ipipMode": "Always", "vxlanMode": "CrossSubnet"}),
            "spec.vxlanMode: cannot be on beside ipipMode; set one of them to Never",
        ),
        (
            json!({"cidr": "10.0.0.0/16", "allowedUses": ["LoadBalancer", "Workload"]}),
            "spec.allowedUses: cannot combine LoadBalancer with other uses",
        ),
    ] {
        assert_told(&calico("IPPool", &spec), &[expected]);
    }
}

#[test]
fn a_pools_prefix_never_changes() {
    let stored = calico("IPPool", &json!({"cidr": "10.0.0.0/16", "blockSize": 26}));
    let changed = calico("IPPool", &json!({"cidr": "10.1.0.0/16"}));
    let report = validate_change(Kind::IpPool, &stored, &changed);
    let told: Vec<String> = report.problems.iter().map(Problem::to_string).collect();
    assert_eq!(told, ["spec.cidr: cannot be changed from \"10.0.0.0/16\"; make a new pool and move to it"]);
    assert_eq!(validate_change(Kind::IpPool, &stored, &stored), Report::default());
}

#[test]
fn endpoints_are_checked() {
    assert_told(
        &calico("HostEndpoint", &json!({"expectedIPs": ["10.0.0.0/8"], "ports": [{"name": "SSH", "port": 0}]})),
        &[
            "spec.node: is missing",
            "spec.expectedIPs[0]: \"10.0.0.0/8\" is not an address; want one such as 10.0.0.1 or fd00::1",
            "spec.ports[0].protocol: is missing",
            "spec.ports[0].name: \"SSH\" is not a port's name; want at most 63 lower-case letters, digits and \"-\", \
             at least one of them a letter, such as http",
            "spec.ports[0].port: is 0; want a whole number from 1 to 65535",
        ],
    );
    assert_told(
        &calico("HostEndpoint", &json!({"node": "n1"})),
        &["spec.interfaceName: is missing; want an interface's name, \"*\", or expectedIPs"],
    );
    let mut workload = calico(
        "WorkloadEndpoint",
        &json!({"orchestrator": "k8s", "node": "n-1", "pod": "web",
        "endpoint": "eth0", "interfaceName": "cali12345678901234", "ipNetworks": ["10.0.0.0/24"], "mac": "x"}),
    );
    workload["metadata"]["namespace"] = json!("shop");
    assert_told(
        &workload,
        &[
            "spec.ipNetworks[0]: \"10.0.0.0/24\" is more than one address; want a /32",
            "spec.interfaceName: \"cali12345678901234\" is not an interface's name; want at most 15 letters, digits, \
             \"_\", \".\" and \"-\", such as eth0",
            "spec.mac: \"x\" is not a MAC address; want one such as ca:fe:1d:52:bb:e9",
            "metadata.name: \"a\" is not the name that its spec makes; want n--1-k8s-web-eth0, or no name at all",
        ],
    );
}

#[test]
fn pods_and_configurations_are_checked() {
    assert_told(
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {
            "hostNetwork": "yes", "nodename": "n1", "containers": [{"ports": [{"containerPort": 70000}]}]}}),
        &[
            "spec.hostNetwork: is \"yes\"; want true or false",
            "spec.containers[0].ports[0].containerPort: is 70000; want a whole number from 1 to 65535",
            "warning: spec.nodename: is no field known here and is not used; did you mean nodeName?",
        ],
    );
    let mut configuration = calico(
        "FelixConfiguration",
        &json!({"nodeSelector": "all()", "logPreffix": "x",
        "defaultEndpointToHostAction": "Allow"}),
    );
    configuration["metadata"]["name"] = json!("default");
    assert_told(
        &configuration,
        &[
            "spec.defaultEndpointToHostAction: \"Allow\" is not one of Drop, Return, Accept",
            "spec.nodeSelector: must be absent in \"default\", which is chosen by its name",
            "warning: spec.logPreffix: is no field known here and is not used; did you mean logPrefix?",
        ],
    );
}

#[test]
fn settings_that_are_kept_but_not_honoured_are_told() {
    let told = |spec, name: &str, expected: &[&str]| {
        let mut configuration = calico("FelixConfiguration", &spec);
        configuration["metadata"]["name"] = json!(name);
        assert_told(&configuration, expected);
    };
    let silent = json!({"interfacePrefix": "cali,tap", "logPrefix": "drop", "nftablesMarkMask": 0xff00,
        "nftablesRefreshInterval": "90s", "failsafeInboundHostPorts": [{"protocol": "tcp", "port": 22, "net": "10.0.0.0/8"}],
        "failsafeOutboundHostPorts": [], "floatingIPs": "Disabled", "bpfConnectTimeLoadBalancing": "TCP",
        "bpfLogLevel": "", "ipv6Support": true, "wireguardEnabled": false, "someNewSetting": 1});
    told(silent, "default", &[]);
    let unheard = json!({"wireguardEnabled": true, "bpfEnabled": true, "bpfLogLevel": "Debug", "ipv6Support": false,
        "logPrefix": "%n"});
    let warnings = [
        "warning: spec.logPrefix: %n is not filled in yet; the log shows it as it is",
        "warning: spec.bpfEnabled: is kept but not honoured yet",
        "warning: spec.bpfLogLevel: is kept but not honoured yet",
        "warning: spec.ipv6Support: is kept but not honoured yet",
        "warning: spec.wireguardEnabled: is kept but not honoured yet",
    ];
    told(unheard, "node.n1", &warnings);
    let by_name = "warning: metadata.name: no agent reads settings by this name yet; want default for all nodes, or node.NAME for one";
    told(json!({"nodeSelector": "has(edge)", "logPrefix": "edge"}), "edge", &[by_name]);
}

#[test]
fn settings_that_agents_could_not_read_are_refused() {
    for (spec, expected) in [
        (json!({"nftablesMarkMask": 4}), "nftablesMarkMask: \"0x4\" cannot be honoured; want at least two bits"),
        (json!({"nftablesRefreshInterval": "90"}), "want 0s for never, or at least 1s, such as 90s or 1m30s"),
        (json!({"failsafeInboundHostPorts": [{"protocol": "TCP", "port": 22, "net": "10"}]}), "[0].net: \"10\" is"),
        (json!({"failsafeOutboundHostPorts": [{"protocol": "ICMP", "port": 22}]}), "a protocol that has ports"),
        (json!({"failsafeOutboundHostPorts": [{"protocol": "TCP"}]}), "[0].port: is missing"),
    ] {
        let mut configuration = calico("FelixConfiguration", &spec);
        configuration["metadata"]["name"] = json!("default");
        let report = validate(Kind::FelixConfiguration, &configuration);
        let [problem] = &report.problems[..] else { panic!("{spec}: {:?}", report.problems) };
        assert!(problem.to_string().contains(expected), "{spec}: {problem}");
    }
}
