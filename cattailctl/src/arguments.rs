//! What cattailctl is told on the command line, by the environment or by a file.

#[cfg(test)]
mod reference;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use datastore_adapters::EtcdConfig;
use settings::{Observation, Program};

use crate::typha::Typha;

/// What begins cattailctl's variables, and names its file.
pub(crate) const PROGRAM: Program = Program { prefix: "CATTAILCTL_", config_env: "CATTAILCTL_CONFIG" };

const EXAMPLES: &str = "\
Examples:
  cattailctl apply -f deploy/examples/shop     write every manifest in a directory
  kubectl get netpol -A -o yaml | cattailctl apply -f -
  cattailctl get networkpolicies -A -o wide
  cattailctl get tier security -o yaml > tier.yaml
  cattailctl replace -f tier.yaml              fails if somebody else wrote meanwhile
  cattailctl delete networkpolicy allow-web -n shop
  cattailctl typha status --admin http://10.0.0.1:9098,http://10.0.0.2:9098

Exit status: 0 if all went well, 1 if anything was rejected or could not be done, 2 if the command line is wrong.";

const KINDS: &str = "\
Kinds, with their short names:
  projectcalico.org/v3
    clusterinformation (clusterinfo)    ippool (ipp, pool)      profile (pro)
    felixconfiguration (felixconfig)    networkpolicy (np, pol) tier
    globalnetworkpolicy (gnp)           networkset (netset)     workloadendpoint (wep)
    globalnetworkset (gnetset)          node (no)
    hostendpoint (hep)
  Kubernetes
    kubernetesnetworkpolicy (knp, netpol), namespace (ns), pod (po), serviceaccount (sa)";

/// Reads and writes the resources of a cattail datastore.
///
/// Takes the YAML and JSON that you have already: Kubernetes Namespace, ServiceAccount, Pod and NetworkPolicy, and
/// projectcalico.org/v3 policies, tiers, sets, pools, nodes, endpoints, profiles and configuration.
#[derive(Debug, Parser)]
#[command(name = "cattailctl", version, about, long_about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Where the resources are.
    #[command(flatten)]
    pub(crate) datastore: Datastore,

    /// Where traces go.
    #[command(flatten)]
    pub(crate) traces: Observation,

    /// What to do.
    #[command(subcommand)]
    pub(crate) command: AnyCommand,
}

/// How to reach the datastore.
#[derive(Debug, Args)]
#[command(next_help_heading = "Datastore")]
pub(crate) struct Datastore {
    /// Addresses of etcd or of cattail-store, comma-separated.
    #[arg(
        long = "etcd-endpoints",
        global = true,
        value_name = "URLS",
        env = "ETCD_ENDPOINTS",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:2379"
    )]
    endpoints: Vec<String>,

    /// The CA that the datastore's certificate must be signed by (PEM).
    #[arg(long = "etcd-ca-cert-file", global = true, value_name = "FILE", env = "ETCD_CA_CERT_FILE")]
    ca_cert_file: Option<PathBuf>,

    /// The client certificate to show to the datastore (PEM).
    #[arg(long = "etcd-cert-file", global = true, value_name = "FILE", env = "ETCD_CERT_FILE")]
    cert_file: Option<PathBuf>,

    /// The client certificate's private key (PEM).
    #[arg(long = "etcd-key-file", global = true, value_name = "FILE", env = "ETCD_KEY_FILE")]
    key_file: Option<PathBuf>,

    /// The user, where etcd asks for one.
    #[arg(long = "etcd-username", global = true, value_name = "NAME", env = "ETCD_USERNAME")]
    username: Option<String>,

    /// The user's password; better given by the environment or a file, where other users cannot see it.
    #[arg(
        long = "etcd-password",
        global = true,
        value_name = "PASSWORD",
        env = "ETCD_PASSWORD",
        hide_env_values = true
    )]
    password: Option<String>,
}

impl Datastore {
    /// The same, in the adapter's words.
    pub(crate) fn config(&self) -> EtcdConfig {
        EtcdConfig {
            endpoints: self.endpoints.clone(),
            ca_file: self.ca_cert_file.clone(),
            cert_file: self.cert_file.clone(),
            key_file: self.key_file.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
        }
    }
}

/// What to do, and with what.
#[derive(Debug, Subcommand)]
pub(crate) enum AnyCommand {
    /// With the resources in the datastore.
    #[command(flatten)]
    Resources(Command),
    /// Look at typha's replicas and their clients.
    Typha(Typha),
}

/// What to do with resources.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write resources, whether or not they exist already.
    Apply(Manifests),
    /// Write resources that must not exist yet.
    Create(Manifests),
    /// Write resources that must exist; with a resourceVersion, only if nobody else wrote since.
    Replace(Manifests),
    /// Show resources.
    #[command(after_help = KINDS)]
    Get(Get),
    /// Remove resources.
    #[command(after_help = KINDS)]
    Delete(Delete),
}

/// Files with resources.
#[derive(Debug, Args)]
pub(crate) struct Manifests {
    /// A file, a directory (with everything in it, in the order of the names), or - for standard input.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required = true)]
    pub(crate) filename: Vec<String>,

    /// The namespace of resources that do not name theirs.
    #[arg(short = 'n', long, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,
}

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// What kind of resources; several with commas between, or KIND/NAME.
    #[arg(value_name = "KIND")]
    pub(crate) kind: String,

    /// Which of them; all where none is named.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// The namespace to look in.
    #[arg(short = 'n', long, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,

    /// Look in all namespaces.
    #[arg(short = 'A', long, conflicts_with = "names")]
    pub(crate) all_namespaces: bool,

    /// How to show them; a table where it is not said.
    #[arg(short = 'o', long, value_name = "FORMAT", value_enum)]
    pub(crate) output: Option<Format>,
}

/// How to show resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The whole resource as YAML.
    Yaml,
    /// The whole resource as JSON.
    Json,
    /// A table with more columns.
    Wide,
    /// KIND/NAME only, one a line.
    Name,
}

/// What to remove.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// What kind of resource, or KIND/NAME.
    #[arg(value_name = "KIND", required_unless_present = "filename", conflicts_with = "filename")]
    pub(crate) kind: Option<String>,

    /// Which of them.
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Remove the resources that a file, a directory or standard input (-) names.
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-")]
    pub(crate) filename: Vec<String>,

    /// The namespace of resources that do not name theirs.
    #[arg(short = 'n', long, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,

    /// It is fine if a resource does not exist.
    #[arg(short = 's', long, visible_alias = "skip-not-exists")]
    pub(crate) ignore_not_found: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn wrong_command_lines_end_with_two() {
        for line in [
            "cattailctl",
            "cattailctl apply",
            "cattailctl get",
            "cattailctl delete",
            "cattailctl delete tier a -f x",
            "cattailctl get tier a -A",
            "cattailctl get tier -o xml",
        ] {
            let error = Arguments::try_parse_from(line.split(' ')).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
