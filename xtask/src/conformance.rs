//! `cargo xtask conformance`: run the lab's conformance runner.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;

use crate::{
    needs::{self, Need},
    run,
};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Case files, `--packets`, `--json OUT`; `--help` tells more.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::Iproute2])?;
    let mut runner = run::cargo(["run", "--quiet", "--package", "lab", "--bin", "conformance", "--"]);
    // Paths on the command line are the caller's, not the workspace's.
    if let Ok(here) = std::env::current_dir() {
        runner.current_dir(here);
    }
    run::pass_through(runner.args(&options.rest))
}
