//! What felix is told on the command line, by the environment or by a file.

#[cfg(test)]
mod reference;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use pki::TlsVersion;
use settings::{LogFormat, Observation, Program};

/// What begins felix's variables, and names its file.
pub(crate) const PROGRAM: Program = Program { prefix: "FELIX_", config_env: "FELIX_CONFIG" };

/// The node agent: learns from typha what this node must enforce, and programs the kernel of the network namespace that
/// it runs in.
///
/// It needs CAP_NET_ADMIN. When it ends, for whatever reason, the kernel goes on enforcing what was programmed last.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    /// This node's name: that of its Node resource, and what workload endpoints and pods name as theirs.
    #[arg(long, env = "FELIX_NODE", value_name = "NAME")]
    pub(crate) node: String,

    /// Replicas of typha, as HOST:PORT, comma-separated, with #ZONE after the port where the zone is known. A DNS name
    /// with many addresses, such as a headless Service's, is that many replicas; names are looked up again every 20
    /// seconds or so. One replica is used at a time, chosen by this node's name; the others stand in for it.
    #[arg(long, env = "FELIX_TYPHA", value_name = "HOST:PORT", value_delimiter = ',', required = true,
          value_parser = parse_address)]
    pub(crate) typha: Vec<String>,

    /// The zone that this node is in, as its label topology.kubernetes.io/zone says. Replicas of typha there are
    /// preferred.
    #[arg(long, env = "FELIX_ZONE", value_name = "NAME")]
    pub(crate) zone: Option<String>,

    /// This node's certificate (PEM), whose common name typha must admit.
    #[arg(long, env = "FELIX_CERT_FILE", value_name = "FILE")]
    pub(crate) cert_file: PathBuf,

    /// The certificate's private key (PEM).
    #[arg(long, env = "FELIX_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: PathBuf,

    /// The CA that typha's certificate must be signed by (PEM).
    #[arg(long, env = "FELIX_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: PathBuf,

    /// The common name that typha's certificate must have.
    #[arg(long, env = "FELIX_TYPHA_CN", value_name = "NAME")]
    pub(crate) typha_cn: String,

    /// The oldest version of TLS that typha may speak: VersionTLS13, or VersionTLS12 for one that knows no better.
    #[arg(long, env = "FELIX_TLS_MIN_VERSION", value_name = "VERSION", default_value_t)]
    pub(crate) tls_min_version: TlsVersion,

    /// Where to serve /healthz, /readyz, /metrics and /status, as ADDRESS:PORT. Not served where not given.
    #[arg(long, env = "FELIX_ADMIN_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) admin_listen: Option<SocketAddr>,

    /// How often the kernel is compared with what it should be, in seconds, in case somebody else changed it. Where not
    /// given, nftablesRefreshInterval of FelixConfiguration tells; without that it is 90.
    #[arg(long = "resync-secs", env = "FELIX_RESYNC_SECS", value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) resync_seconds: Option<Duration>,

    /// How logs are written to stderr.
    #[arg(long, env = "FELIX_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// What is logged: error, warn, info, debug, trace, or filters such as felix_client=debug.
    #[arg(long, env = "FELIX_LOG", value_name = "FILTER", default_value = "info")]
    pub(crate) log: String,

    #[command(flatten)]
    pub(crate) traces: Observation,
}

fn parse_address(text: &str) -> Result<String, String> {
    let (address, zone) = text.split_once('#').map_or((text, None), |(address, zone)| (address, Some(zone)));
    match address.rsplit_once(':') {
        _ if zone == Some("") => Err("no zone follows the #".to_owned()),
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err("it must be HOST:PORT, such as typha.example:5473, or HOST:PORT#ZONE".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        _ => Err("it must be a whole number of seconds, at least 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    const COMPLETE: [&str; 13] = [
        "felix",
        "--node",
        "n1",
        "--typha",
        "a:5473,[::1]:5473#zone-a",
        "--cert-file",
        "c",
        "--key-file",
        "k",
        "--ca-file",
        "ca",
        "--typha-cn",
        "typha",
    ];

    #[test]
    fn the_definition_is_sound_and_lists_are_split() {
        Args::command().debug_assert();
        let args = Args::try_parse_from(COMPLETE).unwrap();
        assert_eq!(args.typha, ["a:5473", "[::1]:5473#zone-a"]);
        assert_eq!(args.resync_seconds, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused =
            |extra: [&str; 2]| Args::try_parse_from(COMPLETE.into_iter().chain(extra)).unwrap_err().to_string();
        assert!(refused(["--resync-secs", "0"]).contains("at least 1"));
        let mut no_port = COMPLETE;
        no_port[4] = "typha";
        assert!(Args::try_parse_from(no_port).unwrap_err().to_string().contains("HOST:PORT"));
        no_port[4] = "typha:5473#";
        assert!(Args::try_parse_from(no_port).unwrap_err().to_string().contains("no zone"));
    }
}
