//! Spec of FelixConfiguration: some two hundred settings, of which few are honoured so far. The others are kept,
//! and their author is told.

use serde_json::{Map, Value};

use super::{
    findings::Findings,
    shape::{Object, Shape, UNBOUNDED, nothing},
    text,
};

/// What the kernel's log takes as a prefix, without the colon and the space that follow it.
const MAX_LOG_PREFIX_BYTES: usize = 125;

/// Calico fills these in when it writes a log prefix.
const LOG_SPECIFIERS: [&str; 4] = ["%t", "%k", "%n", "%p"];

/// Honoured settings are checked; of the others only the names are known, so that slips are noticed.
pub(super) const SPEC: Object = Object {
    fields: &[
        ("interfacePrefix", Shape::Text(interface_prefixes)),
        ("defaultEndpointToHostAction", Shape::Text(host_action)),
        ("logPrefix", Shape::Text(log_prefix)),
        ("failsafeInboundHostPorts", FAILSAFE_PORTS),
        ("failsafeOutboundHostPorts", FAILSAFE_PORTS),
        ("nftablesMarkMask", Shape::Integer(1, u32::MAX as i64)),
        // Agents' own reading says what is wrong with it.
        ("nftablesRefreshInterval", Shape::Text(text::any)),
        ("nodeSelector", Shape::Text(text::selector)),
        ("allowIPIPPacketsFromWorkloads", Shape::Any),
        ("allowVXLANPacketsFromWorkloads", Shape::Any),
        ("awsSrcDstCheck", Shape::Any),
        ("bpfAttachType", Shape::Any),
        ("bpfCTLBLogFilter", Shape::Any),
        ("bpfConnectTimeLoadBalancing", Shape::Any),
        ("bpfConnectTimeLoadBalancingEnabled", Shape::Any),
        ("bpfConntrackLogLevel", Shape::Any),
        ("bpfConntrackMode", Shape::Any),
        ("bpfConntrackTimeouts", Shape::Any),
        ("bpfDSROptoutCIDRs", Shape::Any),
        ("bpfDataIfacePattern", Shape::Any),
        ("bpfDisableGROForIfaces", Shape::Any),
        ("bpfDisableUnprivileged", Shape::Any),
        ("bpfEnabled", Shape::Any),
        ("bpfEnforceRPF", Shape::Any),
        ("bpfExcludeCIDRsFromNAT", Shape::Any),
        ("bpfExportBufferSizeMB", Shape::Any),
        ("bpfExtToServiceConnmark", Shape::Any),
        ("bpfExternalServiceMode", Shape::Any),
        ("bpfForceTrackPacketsFromIfaces", Shape::Any),
        ("bpfHostConntrackBypass", Shape::Any),
        ("bpfHostNetworkedNATWithoutCTLB", Shape::Any),
        ("bpfIPFragTimeout", Shape::Any),
        ("bpfIPFragmentReassemblyEnabled", Shape::Any),
        ("bpfJITHardening", Shape::Any),
        ("bpfKubeProxyHealthzPort", Shape::Any),
        ("bpfKubeProxyIptablesCleanupEnabled", Shape::Any),
        ("bpfKubeProxyMinSyncPeriod", Shape::Any),
        ("bpfL3IfacePattern", Shape::Any),
        ("bpfLogFilters", Shape::Any),
        ("bpfLogLevel", Shape::Any),
        ("bpfMaglevMaxEndpointsPerService", Shape::Any),
        ("bpfMaglevMaxServices", Shape::Any),
        ("bpfMapSizeConntrack", Shape::Any),
        ("bpfMapSizeConntrackCleanupQueue", Shape::Any),
        ("bpfMapSizeConntrackScaling", Shape::Any),
        ("bpfMapSizeIPSets", Shape::Any),
        ("bpfMapSizeIfState", Shape::Any),
        ("bpfMapSizeNATAffinity", Shape::Any),
        ("bpfMapSizeNATBackend", Shape::Any),
        ("bpfMapSizeNATFrontend", Shape::Any),
        ("bpfMapSizePerCpuConntrack", Shape::Any),
        ("bpfMapSizeRoute", Shape::Any),
        ("bpfOverlayHostSourceIP", Shape::Any),
        ("bpfPSNATPorts", Shape::Any),
        ("bpfPolicyDebugEnabled", Shape::Any),
        ("bpfProfiling", Shape::Any),
        ("bpfRedirectToPeer", Shape::Any),
        ("cgroupV2Path", Shape::Any),
        ("chainInsertMode", Shape::Any),
        ("dataplaneDriver", Shape::Any),
        ("dataplaneWatchdogTimeout", Shape::Any),
        ("debugDisableLogDropping", Shape::Any),
        ("debugHost", Shape::Any),
        ("debugMemoryProfilePath", Shape::Any),
        ("debugPort", Shape::Any),
        ("debugSimulateCalcGraphHangAfter", Shape::Any),
        ("debugSimulateDataplaneApplyDelay", Shape::Any),
        ("debugSimulateDataplaneHangAfter", Shape::Any),
        ("deviceRouteProtocol", Shape::Any),
        ("deviceRouteSourceAddress", Shape::Any),
        ("deviceRouteSourceAddressIPv6", Shape::Any),
        ("disableConntrackInvalidCheck", Shape::Any),
        ("endpointReportingDelay", Shape::Any),
        ("endpointReportingEnabled", Shape::Any),
        ("endpointStatusPathPrefix", Shape::Any),
        ("externalNodesList", Shape::Any),
        ("featureDetectOverride", Shape::Any),
        ("featureGates", Shape::Any),
        ("floatingIPs", Shape::Any),
        ("flowLogsCollectorDebugTrace", Shape::Any),
        ("flowLogsFlushInterval", Shape::Any),
        ("flowLogsGoldmaneServer", Shape::Any),
        ("flowLogsLocalReporter", Shape::Any),
        ("flowLogsPolicyEvaluationMode", Shape::Any),
        ("genericXDPEnabled", Shape::Any),
        ("goGCThreshold", Shape::Any),
        ("goMaxProcs", Shape::Any),
        ("goMemoryLimitMB", Shape::Any),
        ("healthEnabled", Shape::Any),
        ("healthHost", Shape::Any),
        ("healthPort", Shape::Any),
        ("healthTimeoutOverrides", Shape::Any),
        ("interfaceExclude", Shape::Any),
        ("interfaceRefreshInterval", Shape::Any),
        ("ipForwarding", Shape::Any),
        ("ipipEnabled", Shape::Any),
        ("ipipMTU", Shape::Any),
        ("ipsetsRefreshInterval", Shape::Any),
        ("iptablesBackend", Shape::Any),
        ("iptablesFilterAllowAction", Shape::Any),
        ("iptablesFilterDenyAction", Shape::Any),
        ("iptablesLockProbeInterval", Shape::Any),
        ("iptablesMangleAllowAction", Shape::Any),
        ("iptablesMarkMask", Shape::Any),
        ("iptablesNATOutgoingInterfaceFilter", Shape::Any),
        ("iptablesPostWriteCheckInterval", Shape::Any),
        ("iptablesRefreshInterval", Shape::Any),
        ("ipv4ElevatedRoutePriority", Shape::Any),
        ("ipv4NormalRoutePriority", Shape::Any),
        ("ipv6ElevatedRoutePriority", Shape::Any),
        ("ipv6NormalRoutePriority", Shape::Any),
        ("ipv6Support", Shape::Any),
        ("istioAmbientMode", Shape::Any),
        ("istioDSCPMark", Shape::Any),
        ("kubeNodePortRanges", Shape::Any),
        ("liveMigrationRouteConvergenceTime", Shape::Any),
        ("localSubnetL2Reachability", Shape::Any),
        ("localSubnetL2ReachabilityRefreshInterval", Shape::Any),
        ("logActionRateLimit", Shape::Any),
        ("logActionRateLimitBurst", Shape::Any),
        ("logDebugFilenameRegex", Shape::Any),
        ("logFilePath", Shape::Any),
        ("logSeverityFile", Shape::Any),
        ("logSeverityScreen", Shape::Any),
        ("logSeveritySys", Shape::Any),
        ("maxIpsetSize", Shape::Any),
        ("metadataAddr", Shape::Any),
        ("metadataPort", Shape::Any),
        ("mtuIfacePattern", Shape::Any),
        ("natOutgoingAddress", Shape::Any),
        ("natOutgoingExclusions", Shape::Any),
        ("natPortRange", Shape::Any),
        ("netlinkTimeout", Shape::Any),
        ("nftablesFilterAllowAction", Shape::Any),
        ("nftablesFilterDenyAction", Shape::Any),
        ("nftablesFlowTableDataIfacePattern", Shape::Any),
        ("nftablesFlowTableOffload", Shape::Any),
        ("nftablesMangleAllowAction", Shape::Any),
        ("nftablesMode", Shape::Any),
        ("openstackRegion", Shape::Any),
        ("policySyncPathPrefix", Shape::Any),
        ("programClusterRoutes", Shape::Any),
        ("prometheusGoMetricsEnabled", Shape::Any),
        ("prometheusMetricsCAFile", Shape::Any),
        ("prometheusMetricsCertFile", Shape::Any),
        ("prometheusMetricsClientAuth", Shape::Any),
        ("prometheusMetricsEnabled", Shape::Any),
        ("prometheusMetricsHost", Shape::Any),
        ("prometheusMetricsKeyFile", Shape::Any),
        ("prometheusMetricsPort", Shape::Any),
        ("prometheusProcessMetricsEnabled", Shape::Any),
        ("prometheusWireGuardMetricsEnabled", Shape::Any),
        ("removeExternalRoutes", Shape::Any),
        ("reportingInterval", Shape::Any),
        ("reportingTTL", Shape::Any),
        ("requireMTUFile", Shape::Any),
        ("routeRefreshInterval", Shape::Any),
        ("routeSource", Shape::Any),
        ("routeSyncDisabled", Shape::Any),
        ("routeTableRange", Shape::Any),
        ("routeTableRanges", Shape::Any),
        ("serviceLoopPrevention", Shape::Any),
        ("sidecarAccelerationEnabled", Shape::Any),
        ("usageReportingEnabled", Shape::Any),
        ("usageReportingInitialDelay", Shape::Any),
        ("usageReportingInterval", Shape::Any),
        ("useInternalDataplaneDriver", Shape::Any),
        ("vxlanEnabled", Shape::Any),
        ("vxlanMTU", Shape::Any),
        ("vxlanMTUV6", Shape::Any),
        ("vxlanPort", Shape::Any),
        ("vxlanVNI", Shape::Any),
        ("windowsManageFirewallRules", Shape::Any),
        ("wireguardEnabled", Shape::Any),
        ("wireguardEnabledV6", Shape::Any),
        ("wireguardHostEncryptionEnabled", Shape::Any),
        ("wireguardInterfaceName", Shape::Any),
        ("wireguardInterfaceNameV6", Shape::Any),
        ("wireguardKeepAlive", Shape::Any),
        ("wireguardListeningPort", Shape::Any),
        ("wireguardListeningPortV6", Shape::Any),
        ("wireguardMTU", Shape::Any),
        ("wireguardMTUV6", Shape::Any),
        ("wireguardRoutingRulePriority", Shape::Any),
        ("wireguardThreadingEnabled", Shape::Any),
        ("workloadSourceSpoofing", Shape::Any),
        ("xdpEnabled", Shape::Any),
        ("xdpRefreshInterval", Shape::Any),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

const FAILSAFE_PORTS: Shape = Shape::List(&Shape::Object(&FAILSAFE_PORT), UNBOUNDED);

const FAILSAFE_PORT: Object = Object {
    fields: &[
        ("protocol", Shape::Scalar(text::protocol)),
        ("port", Shape::Integer(0, u16::MAX as i64)),
        ("net", Shape::Text(net_if_any)),
    ],
    is_match: true,
    required: &["protocol", "port"],
    check: nothing,
};

fn net_if_any(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { text::net(text) }
}

fn interface_prefixes(text: &str) -> Result<(), String> {
    text.split(',').try_for_each(text::interface)
}

fn host_action(text: &str) -> Result<(), String> {
    let known = ["Drop", "Return", "Accept"];
    if known.iter().any(|word| word.eq_ignore_ascii_case(text)) { Ok(()) } else { text::one_of(text, &known) }
}

fn log_prefix(text: &str) -> Result<(), String> {
    if text.len() <= MAX_LOG_PREFIX_BYTES {
        return Ok(());
    }
    Err(format!("{text:?} is too long; want at most {MAX_LOG_PREFIX_BYTES} characters"))
}

/// Settings for all nodes and for one node are chosen by name, others by selector.
pub(super) fn check(document: &Value, findings: &mut Findings) {
    let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let is_chosen_by_name = name == "default" || name.starts_with("node.");
    let selector = document.pointer("/spec/nodeSelector").filter(|selector| !selector.is_null());
    if is_chosen_by_name && selector.is_some() {
        let reason = format!("must be absent in {name:?}, which is chosen by its name");
        findings.field("spec", |here| here.problem_in("nodeSelector", reason));
    }
    let Some(Value::Object(spec)) = document.get("spec") else { return };
    if !is_chosen_by_name && !spec.is_empty() {
        let reason = "no agent reads settings by this name yet; want default for all nodes, or node.NAME for one";
        findings.field("metadata", |here| here.warning_in("name", reason));
    }
    findings.field("spec", |here| warn(spec, here));
}

/// What is stored and has no effect is told, so that nobody relies on it.
fn warn(spec: &Map<String, Value>, findings: &mut Findings) {
    let log_prefix = spec.get("logPrefix").and_then(Value::as_str).unwrap_or_default();
    if let Some(specifier) = LOG_SPECIFIERS.iter().find(|specifier| log_prefix.contains(**specifier)) {
        findings.warning_in("logPrefix", format!("{specifier} is not filled in yet; the log shows it as it is"));
    }
    for (name, shape) in SPEC.fields {
        if matches!(shape, Shape::Any) && spec.get(*name).is_some_and(|value| asks_for_something(name, value, spec)) {
            findings.warning_in(name, "is kept but not honoured yet");
        }
    }
}

/// What is switched off is off here too. Settings of eBPF matter with eBPF only; Calico writes some of them always.
fn asks_for_something(name: &str, value: &Value, spec: &Map<String, Value>) -> bool {
    let is_off = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "Disabled",
        _ => false,
    };
    if name == "ipv6Support" {
        return *value == Value::Bool(false);
    }
    !is_off(value) && (!name.starts_with("bpf") || spec.get("bpfEnabled").is_some_and(|enabled| !is_off(enabled)))
}
