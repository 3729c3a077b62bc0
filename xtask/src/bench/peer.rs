//! The other side: the real Calico Typha and our load client on Calico's own sync library, both from `interop/`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{etcd::Etcd, ours::report_of, report_file, scratch};
use crate::{interop, run};

/// The packages of `interop/` that are built.
const PACKAGES: [&str; 2] = ["github.com/projectcalico/calico/typha/cmd/calico-typha", "./syncload"];
/// What of our report's settings the other side takes over, so that both do the same.
const SETTINGS: [&str; 6] = ["clients", "keys", "rate", "transaction", "burst", "seconds"];

/// Calico's programs.
pub(super) struct Calico {
    typha: PathBuf,
    syncload: PathBuf,
}

impl Calico {
    pub(super) fn build() -> Result<Self> {
        interop::provide()?;
        let programs = run::target_dir().join("peers");
        std::fs::create_dir_all(&programs).with_context(|| programs.display().to_string())?;
        eprintln!("Building Calico Typha v3.31.0 (some minutes the first time) ...");
        run::check(interop::go().args(["build", "-mod=readonly", "-o"]).arg(&programs).args(PACKAGES))?;
        Ok(Self { typha: programs.join("calico-typha"), syncload: programs.join("syncload") })
    }

    /// Does what we did, over the same etcd, as our report says; syncload's report.
    pub(super) fn measure(&self, ours: Option<&Value>, etcd: &Etcd) -> Result<Value> {
        let ours = ours.context("not run: there is no report of ours that says what to do")?;
        let mut syncload = Command::new(&self.syncload);
        syncload.arg("--typha").arg(&self.typha).args(["--etcd", &format!("http://{}", etcd.address())]);
        syncload.args(["--scenario", ours["scenario"].as_str().context("our report names no scenario")?]);
        for name in SETTINGS {
            let value =
                ours["settings"][name].as_f64().with_context(|| format!("our report has no settings.{name}"))?;
            syncload.args([format!("--{name}"), value.to_string()]);
        }
        report_of(syncload.env("TMPDIR", scratch()), &report_file("calico"))
    }
}
