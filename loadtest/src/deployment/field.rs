//! A deployment in the field: addresses, certificates, and what may be done to it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use datastore_adapters::EtcdConfig;
use pki::{Files, Peers};
use rustls::ClientConfig;

use crate::{
    scenario::{Overrides, Scenario},
    share::Share,
};

/// Transactions a second where no rate is asked for: a cluster in use does as much by itself.
const SAFE_RATE: f64 = 1.0;
/// Keys of each, likewise.
const SAFE_TRANSACTION: u32 = 1;

/// How to reach a deployment in the field.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "A deployment in the field")]
pub(crate) struct FieldArgs {
    /// Measure these typha replicas instead of a local deployment, host:port
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = host_and_port,
          requires_all = ["cert_file", "key_file", "ca_file"])]
    pub(crate) target: Vec<String>,
    /// The clients' certificate (PEM), as felix has one
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(super) cert_file: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(super) key_file: Option<PathBuf>,
    /// The CA of typha's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(super) ca_file: Option<PathBuf>,
    /// The common name of typha's certificate
    #[arg(long, value_name = "NAME", default_value = "typha-server")]
    pub(super) typha_cn: String,
    /// The datastore, for scenarios that write; without it, only those that do not can be run
    #[arg(long, value_name = "URLS", value_delimiter = ',', requires = "target")]
    pub(super) etcd_endpoints: Vec<String>,
    /// The CA of etcd's certificates
    #[arg(long, value_name = "FILE", requires = "target")]
    pub(super) etcd_ca_cert_file: Option<PathBuf>,
    /// The certificate to show to etcd
    #[arg(long, value_name = "FILE", requires = "etcd_key_file")]
    pub(super) etcd_cert_file: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", requires = "etcd_cert_file")]
    pub(super) etcd_key_file: Option<PathBuf>,
    /// Share the run with other processes: this one takes part I of N, each is started with the same options but this
    #[arg(long, value_name = "I/N", requires_all = ["target", "etcd_endpoints"])]
    pub(crate) share: Option<Share>,
    /// Do not ask before writing to a deployment in the field
    #[arg(long, requires = "target")]
    pub(super) yes: bool,
}

fn host_and_port(text: &str) -> Result<String, String> {
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(1..))) if !host.is_empty() => Ok(text.to_owned()),
        _ => Err("write HOST:PORT, such as typha.example:5473".to_owned()),
    }
}

impl FieldArgs {
    /// Whether no deployment was named.
    pub(crate) fn is_local(&self) -> bool {
        self.target.is_empty()
    }

    /// How many replicas were named.
    pub(crate) fn targets(&self) -> u32 {
        self.target.len() as u32
    }

    /// Lowers what was not asked for to what does no harm.
    pub(crate) fn restrain(&self, scenario: &mut Scenario, overrides: &Overrides) {
        if self.is_local() {
            return;
        }
        scenario.burst = 1;
        scenario.rate = overrides.rate.unwrap_or(scenario.rate.min(SAFE_RATE));
        scenario.transaction = overrides.transaction.unwrap_or(scenario.transaction.min(SAFE_TRANSACTION));
    }

    /// Refuses what can only be done to a local deployment.
    pub(super) fn check(&self, scenario: &Scenario) -> Result<()> {
        if let Some(phase) = scenario.phases.iter().find(|phase| phase.is_local_only()) {
            bail!("{phase:?} can only be done to a local deployment; leave --target out");
        }
        super::check_tidy(scenario).context("leave --target out")?;
        if scenario.is_writing() && self.etcd_endpoints.is_empty() {
            bail!("this scenario writes: name the deployment's datastore by --etcd-endpoints");
        }
        Ok(())
    }

    pub(super) fn client_tls(&self) -> Result<ClientConfig> {
        let file = |file: &Option<PathBuf>, flag: &str| file.clone().with_context(|| format!("{flag} is missing"));
        let files = Files {
            cert: file(&self.cert_file, "--cert-file")?,
            key: file(&self.key_file, "--key-file")?,
            ca: file(&self.ca_file, "--ca-file")?,
        };
        Ok(pki::load_client(&files, &Peers::common_name(&self.typha_cn))?)
    }

    pub(super) fn etcd(&self) -> Option<EtcdConfig> {
        (!self.etcd_endpoints.is_empty()).then(|| EtcdConfig {
            endpoints: self.etcd_endpoints.clone(),
            ca_file: self.etcd_ca_cert_file.clone(),
            cert_file: self.etcd_cert_file.clone(),
            key_file: self.etcd_key_file.clone(),
            ..EtcdConfig::default()
        })
    }

    /// Whether the run writes to somebody's datastore.
    pub(super) fn is_written_to(&self) -> bool {
        !self.etcd_endpoints.is_empty()
    }
}
