//! Specs of Kubernetes' Pod and Namespace, as far as networking reads them.

use super::{
    shape::{Object, Shape, UNBOUNDED, nothing},
    text,
};

/// NamespaceSpec.
pub(super) const NAMESPACE_SPEC: Object =
    Object { fields: &[("finalizers", Shape::Any)], is_match: false, required: &[], check: nothing };

/// PodSpec.
pub(super) const SPEC: Object = Object {
    fields: &[
        ("nodeName", Shape::Text(node_name)),
        ("hostNetwork", Shape::Flag),
        ("serviceAccountName", Shape::Text(service_account_name)),
        ("containers", Shape::List(&Shape::Object(&CONTAINER), UNBOUNDED)),
        ("initContainers", Shape::List(&Shape::Object(&CONTAINER), UNBOUNDED)),
        ("activeDeadlineSeconds", Shape::Any),
        ("affinity", Shape::Any),
        ("automountServiceAccountToken", Shape::Any),
        ("dnsConfig", Shape::Any),
        ("dnsPolicy", Shape::Any),
        ("enableServiceLinks", Shape::Any),
        ("ephemeralContainers", Shape::Any),
        ("hostAliases", Shape::Any),
        ("hostIPC", Shape::Any),
        ("hostPID", Shape::Any),
        ("hostUsers", Shape::Any),
        ("hostname", Shape::Any),
        ("hostnameOverride", Shape::Any),
        ("imagePullSecrets", Shape::Any),
        ("nodeSelector", Shape::Any),
        ("os", Shape::Any),
        ("overhead", Shape::Any),
        ("preemptionPolicy", Shape::Any),
        ("priority", Shape::Any),
        ("priorityClassName", Shape::Any),
        ("readinessGates", Shape::Any),
        ("resourceClaims", Shape::Any),
        ("resources", Shape::Any),
        ("restartPolicy", Shape::Any),
        ("runtimeClassName", Shape::Any),
        ("schedulerName", Shape::Any),
        ("schedulingGates", Shape::Any),
        ("securityContext", Shape::Any),
        ("serviceAccount", Shape::Any),
        ("setHostnameAsFQDN", Shape::Any),
        ("shareProcessNamespace", Shape::Any),
        ("subdomain", Shape::Any),
        ("terminationGracePeriodSeconds", Shape::Any),
        ("tolerations", Shape::Any),
        ("topologySpreadConstraints", Shape::Any),
        ("volumes", Shape::Any),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

const CONTAINER: Object = Object {
    fields: &[
        ("name", Shape::Text(text::dns_label)),
        ("ports", Shape::List(&Shape::Object(&CONTAINER_PORT), UNBOUNDED)),
        ("args", Shape::Any),
        ("command", Shape::Any),
        ("env", Shape::Any),
        ("envFrom", Shape::Any),
        ("image", Shape::Any),
        ("imagePullPolicy", Shape::Any),
        ("lifecycle", Shape::Any),
        ("livenessProbe", Shape::Any),
        ("readinessProbe", Shape::Any),
        ("resizePolicy", Shape::Any),
        ("resources", Shape::Any),
        ("restartPolicy", Shape::Any),
        ("securityContext", Shape::Any),
        ("startupProbe", Shape::Any),
        ("stdin", Shape::Any),
        ("stdinOnce", Shape::Any),
        ("terminationMessagePath", Shape::Any),
        ("terminationMessagePolicy", Shape::Any),
        ("tty", Shape::Any),
        ("volumeDevices", Shape::Any),
        ("volumeMounts", Shape::Any),
        ("workingDir", Shape::Any),
    ],
    is_match: false,
    required: &[],
    check: nothing,
};

const CONTAINER_PORT: Object = Object {
    fields: &[
        ("name", Shape::Text(text::port_name)),
        ("containerPort", Shape::Integer(1, 65535)),
        ("hostPort", Shape::Integer(0, 65535)),
        ("hostIP", Shape::Any),
        ("protocol", Shape::Text(protocol)),
    ],
    is_match: false,
    required: &["containerPort"],
    check: nothing,
};

/// Empty until the pod is scheduled.
fn node_name(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { text::dns_subdomain(text) }
}

fn service_account_name(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { text::dns_subdomain(text) }
}

/// Protocols that Kubernetes speaks of.
pub(super) fn protocol(text: &str) -> Result<(), String> {
    text::one_of(text, &["TCP", "UDP", "SCTP"])
}
