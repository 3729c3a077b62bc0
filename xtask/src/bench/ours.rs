//! Our side: loadtest with our typha, on the etcd of this machine.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{CLIENTS, Options, case::Case, etcd::Etcd, report_file};
use crate::run;

/// Our programs, built as they are shipped.
pub(super) struct Ours {
    loadtest: PathBuf,
}

impl Ours {
    pub(super) fn build() -> Result<Self> {
        eprintln!("Building Cattail as released (some minutes the first time) ...");
        Ok(Self { loadtest: run::build_released("loadtest", "loadtest")? })
    }

    /// A process that removes a folder when it is told or we are gone, however we went.
    pub(super) fn keeper(&self, folder: &Path) -> Result<Child> {
        let mut keeper = Command::new(&self.loadtest);
        // The pipe closes when we end. Ctrl-C is not for it.
        keeper.arg("remove-when-orphaned").arg(folder).stdin(Stdio::piped()).process_group(0);
        keeper.spawn().with_context(|| format!("cannot start {}", self.loadtest.display()))
    }

    /// Runs a scenario with options; loadtest's report.
    pub(super) fn run(&self, scenario: &str, options: &[&str]) -> Result<Value> {
        let mut loadtest = Command::new(&self.loadtest);
        loadtest.args(["run", scenario, "--etcd"]).args(options);
        report_of(&mut loadtest, &report_file("cattail"))
    }

    /// Runs a case over an etcd; loadtest's report.
    pub(super) fn measure(&self, case: &Case, options: &Options, etcd: &Etcd) -> Result<Value> {
        let mut loadtest = Command::new(&self.loadtest);
        loadtest.args(["run", case.scenario, "--datastore", &etcd.address().to_string()]);
        loadtest.args(["--datastore-pid", &etcd.pid().to_string()]);
        loadtest.args(["--clients", &options.clients.unwrap_or(CLIENTS).to_string()]);
        if let Some(keys) = case.transaction {
            loadtest.args(["--transaction", &keys.to_string()]);
        }
        if let Some(seconds) = options.seconds {
            loadtest.args(["--seconds", &seconds.to_string()]);
        }
        report_of(&mut loadtest, &report_file("cattail"))
    }
}

/// Runs a load program that writes its report into a file.
pub(super) fn report_of(program: &mut Command, file: &Path) -> Result<Value> {
    let name = program.get_program().to_string_lossy().into_owned();
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    program.args([OsStr::new("--json"), file.as_os_str()]);
    // What it prints is in the report, which we show beside the other side's.
    let status = program.stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        bail!("{name} ended with {status}; what it said is above");
    }
    let text = fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} is no report", file.display()))
}
