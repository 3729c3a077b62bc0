//! Flags and environment variables, and what they mean to the server. Names are Calico's where Calico has one.

#[cfg(test)]
mod reference;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args as ClapArgs, Parser, builder::NonEmptyStringValueParser, value_parser};
use datastore_adapters::EtcdConfig;
use pki::{Files, PeerName, Peers, TlsVersion};
use settings::{LogFormat, Observation, Program};
use typha::{Config, Limits};

/// What begins typha's variables, and names its file.
pub(crate) const PROGRAM: Program = Program { prefix: "TYPHA_", config_env: "TYPHA_CONFIG" };

/// Typha streams the datastore's state and its changes to the felix agents of a cluster.
///
/// Each replica reads the datastore once, whatever the number of agents. Run as many replicas as the agents need, on
/// any machines: an agent that loses one goes on with another and gets only what it missed.
///
/// SIGTERM drains: agents are asked to move, and the process exits with status 0 when they have.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    #[command(flatten)]
    datastore: Datastore,

    #[command(flatten)]
    addresses: Addresses,

    #[command(flatten)]
    tls: Tls,

    /// This replica's name in logs and for agents; the host's name where not given.
    #[arg(long, env = "TYPHA_NAME", value_name = "REPLICA")]
    name: Option<String>,

    /// How logs are written to stderr.
    #[arg(long, env = "TYPHA_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or filters such as typha=debug.
    #[arg(long, env = "TYPHA_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,

    #[command(flatten)]
    pub(crate) traces: Observation,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Datastore")]
struct Datastore {
    /// Addresses of etcd or of cattail-store, comma-separated, such as http://127.0.0.1:2379.
    #[arg(long, env = "ETCD_ENDPOINTS", value_name = "URLS", value_delimiter = ',', required = true)]
    etcd_endpoints: Vec<String>,

    /// The CA that the datastore's certificate must be signed by (PEM).
    #[arg(long, env = "ETCD_CA_CERT_FILE", value_name = "FILE")]
    etcd_ca_cert_file: Option<PathBuf>,

    /// The client certificate to show to the datastore (PEM).
    #[arg(long, env = "ETCD_CERT_FILE", value_name = "FILE", requires = "etcd_key_file")]
    etcd_cert_file: Option<PathBuf>,

    /// The client certificate's private key (PEM).
    #[arg(long, env = "ETCD_KEY_FILE", value_name = "FILE", requires = "etcd_cert_file")]
    etcd_key_file: Option<PathBuf>,

    /// The user, where etcd asks for one.
    #[arg(long, env = "ETCD_USERNAME", value_name = "NAME", requires = "etcd_password")]
    etcd_username: Option<String>,

    /// The user's password; better given by the environment, where other users cannot see it.
    #[arg(long, env = "ETCD_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    etcd_password: Option<String>,

    /// How many seconds without a sign of life from the datastore make this replica not ready.
    #[arg(long, env = "TYPHA_STALE_AFTER_SECS", value_name = "SECONDS", default_value_t = 15, value_parser = value_parser!(u64).range(1..))]
    stale_after_secs: u64,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Addresses")]
struct Addresses {
    /// Where to serve agents, as ADDRESS:PORT.
    #[arg(long, env = "TYPHA_LISTEN", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:5473", value_parser = address)]
    listen: SocketAddr,

    /// Where to serve the live page (/), /metrics, /healthz, /readyz, /clients, /replicas and /status over plain HTTP, as ADDRESS:PORT.
    #[arg(long, env = "TYPHA_ADMIN_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9098", value_parser = address)]
    admin_listen: SocketAddr,

    /// The admin addresses of all replicas, which the live page shows beside each other, as HOST:PORT. A name with many
    /// addresses, as a headless Service has, is that many replicas. May be given more than once.
    #[arg(long, env = "TYPHA_ADMIN_PEERS", value_name = "HOST:PORT", value_delimiter = ',', value_parser = peer)]
    admin_peers: Vec<String>,

    /// How many seconds agents may take to move when this replica drains.
    #[arg(long, env = "TYPHA_DRAIN_SECS", value_name = "SECONDS", default_value_t = 10)]
    drain_secs: u64,
}

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Certificates")]
struct Tls {
    /// This server's certificate (PEM), followed by intermediates if there are any.
    #[arg(long, env = "TYPHA_CERT_FILE", value_name = "FILE")]
    cert_file: PathBuf,

    /// The certificate's private key (PEM).
    #[arg(long, env = "TYPHA_KEY_FILE", value_name = "FILE")]
    key_file: PathBuf,

    /// The CA that agents' certificates must be signed by, and this server's is (PEM).
    #[arg(long, env = "TYPHA_CA_FILE", value_name = "FILE")]
    ca_file: PathBuf,

    /// The common name that agents' certificates must have. May be given more than once.
    #[arg(
        long,
        env = "TYPHA_CLIENT_CN",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new(),
        required_unless_present = "client_uri_san"
    )]
    client_cn: Vec<String>,

    /// A URI SAN (SPIFFE ID) that agents' certificates may have instead. May be given more than once.
    #[arg(
        long,
        env = "TYPHA_CLIENT_URI_SAN",
        value_name = "URI",
        value_delimiter = ',',
        value_parser = NonEmptyStringValueParser::new()
    )]
    client_uri_san: Vec<String>,

    /// The oldest version of TLS that agents may speak: VersionTLS13, or VersionTLS12 for those that know no better.
    #[arg(long = "tls-min-version", env = "TYPHA_TLS_MIN_VERSION", value_name = "VERSION", default_value_t)]
    min_version: TlsVersion,
}

impl Args {
    /// How to reach the datastore.
    pub(crate) fn etcd(&self) -> EtcdConfig {
        let datastore = &self.datastore;
        EtcdConfig {
            endpoints: datastore.etcd_endpoints.clone(),
            ca_file: datastore.etcd_ca_cert_file.clone(),
            cert_file: datastore.etcd_cert_file.clone(),
            key_file: datastore.etcd_key_file.clone(),
            username: datastore.etcd_username.clone(),
            password: datastore.etcd_password.clone(),
        }
    }

    /// This replica's name.
    pub(crate) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(host_name)
    }

    /// What the server is told.
    pub(crate) fn into_config(self) -> Config {
        let name = self.name();
        let Self { datastore, addresses, tls, .. } = self;
        let common_names = tls.client_cn.into_iter().map(PeerName::CommonName);
        let uris = tls.client_uri_san.into_iter().map(PeerName::UriSan);
        Config {
            name,
            listen: addresses.listen,
            admin_listen: Some(addresses.admin_listen),
            admin_peers: addresses.admin_peers,
            files: Files { cert: tls.cert_file, key: tls.key_file, ca: tls.ca_file },
            peers: common_names.chain(uris).fold(Peers::default(), Peers::or).speaking(tls.min_version),
            limits: Limits {
                drain: Duration::from_secs(addresses.drain_secs),
                stale_after: Duration::from_secs(datastore.stale_after_secs),
                ..Limits::default()
            },
        }
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "typha".to_owned() } else { name.trim().to_owned() }
}

/// Where to listen. A name does not say on which of a machine's addresses.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an IP address and a port, such as 127.0.0.1:9098 or [::]:5473".to_owned())
}

/// A peer's address, of which only the port can be judged here.
fn peer(text: &str) -> Result<String, String> {
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(1..))) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("write HOST:PORT, such as typha-admin:9098 or 10.0.0.1:9098".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    const REQUIRED: [&str; 11] = [
        "typha",
        "--etcd-endpoints",
        "http://a:2379,http://b:2379",
        "--cert-file",
        "c",
        "--key-file",
        "k",
        "--ca-file",
        "ca",
        "--client-cn",
        "felix",
    ];

    #[test]
    fn the_command_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn few_flags_suffice() {
        let args = Args::try_parse_from(REQUIRED).expect("complete");
        assert_eq!(args.etcd().endpoints, ["http://a:2379", "http://b:2379"]);
        let config = args.into_config();
        assert_eq!((config.listen.port(), config.peers), (5473, Peers::common_name("felix")));
    }

    #[test]
    fn somebody_must_be_admitted() {
        let named = |names: &[&'static str]| Args::try_parse_from(REQUIRED[..9].iter().chain(names));
        for nobody in [&[][..], &["--client-cn="], &["--client-uri-san="], &["--client-cn=felix,"]] {
            let error = named(nobody).expect_err("an empty name is nobody's").to_string();
            assert!(error.contains("--client-"), "{error}");
        }
        named(&["--client-uri-san=spiffe://cluster/felix"]).expect("one is enough");
    }

    #[test]
    fn a_name_is_nothing_to_listen_on() {
        let listen = |at: &'static str| Args::try_parse_from(REQUIRED.iter().chain(&["--listen", at]));
        let error = listen("localhost:5473").expect_err("which address?").to_string();
        assert!(error.contains("--listen") && error.contains("127.0.0.1:9098"), "{error}");
        listen("[::]:5473").expect("all of them");
    }

    #[test]
    fn a_state_is_fresh_for_a_while() {
        let error = Args::try_parse_from(REQUIRED.iter().chain(&["--stale-after-secs=0"])).expect_err("never ready");
        assert!(error.to_string().contains("--stale-after-secs"), "{error}");
    }
}
