//! What is measured: a local deployment made for the run, or one in the field.

mod confirm;
mod field;

use anyhow::{Context as _, Result, bail};
use datastore_adapters::EtcdConfig;
use pki::Peers;
use rustls::ClientConfig;

pub(crate) use self::{confirm::confirm, field::FieldArgs};
use crate::{
    local::{Datastore, Local, TYPHA_CN},
    sampler::Gauges,
    scenario::{Phase, Scenario},
    workload::Content,
};

/// What is measured.
pub(crate) enum Deployment {
    /// Started by us, ended with us.
    Local(Box<Local>),
    /// Somebody's: we see what clients see, and not its processes.
    Field(Box<FieldArgs>),
}

impl Deployment {
    /// Starts a local deployment, or checks that a scenario can be run in the field.
    pub(crate) async fn start(scenario: &Scenario, field: &FieldArgs, datastore: Datastore) -> Result<Self> {
        if field.is_local() {
            if matches!(datastore, Datastore::Given { .. }) {
                check_tidy(scenario).context("--datastore")?;
            }
            let can_cut = scenario.phases.iter().any(|phase| matches!(phase, Phase::Cut(_)));
            return Ok(Self::Local(Box::new(Local::start(datastore, scenario.replicas, can_cut).await?)));
        }
        field.check(scenario)?;
        Ok(Self::Field(Box::new(field.clone())))
    }

    /// Whether what was written stays behind unless it is deleted.
    pub(crate) fn is_to_be_tidied(&self) -> bool {
        match self {
            Self::Local(local) => !local.owns_store(),
            Self::Field(_) => true,
        }
    }

    /// The replicas, and what clients show them.
    pub(crate) fn clients(&self) -> Result<(Vec<String>, ClientConfig)> {
        match self {
            Self::Local(local) => {
                Ok((local.servers(), pki::load_client(&local.client_files, &Peers::common_name(TYPHA_CN))?))
            }
            Self::Field(field) => Ok((field.target.clone(), field.client_tls()?)),
        }
    }

    /// How the datastore is reached, if it is.
    pub(crate) fn etcd(&self) -> Option<EtcdConfig> {
        match self {
            Self::Local(local) => {
                Some(EtcdConfig { endpoints: vec![local.store_url.clone()], ..EtcdConfig::default() })
            }
            Self::Field(field) => field.etcd(),
        }
    }

    /// Shows the CPU time and memory of its processes, where we can.
    pub(crate) fn gauges(&self) -> Gauges {
        match self {
            Self::Local(local) => local.gauges(),
            Self::Field(_) => Gauges::default(),
        }
    }

    /// The local deployment, for what only there can be done.
    pub(crate) fn local(&mut self) -> Result<&mut Local> {
        match self {
            Self::Local(local) => Ok(local),
            Self::Field(_) => bail!("replicas in the field are not ours to restart or to cut off"),
        }
    }

    /// Fails where a process of ours has died.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        match self {
            Self::Local(local) => {
                let logs = local.logs().display().to_string();
                local.check_alive().with_context(|| format!("logs: {logs}"))
            }
            Self::Field(_) => Ok(()),
        }
    }
}

/// Refuses a scenario that cannot be tidied up after.
fn check_tidy(scenario: &Scenario) -> Result<()> {
    let buries = scenario.phases.iter().any(|phase| matches!(phase, Phase::Bury(_)));
    if scenario.content == Content::Churn || buries {
        bail!("this scenario writes what it cannot tidy up exactly, and can only be run with a datastore of its own");
    }
    Ok(())
}
