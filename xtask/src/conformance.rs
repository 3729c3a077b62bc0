//! `cargo xtask conformance`: run the lab's conformance runner.

use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

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
    // In the caller's directory: paths on the command line are the caller's.
    let mut runner = Command::new(run::build_program("conformance")?);
    run::pass_through(runner.args(&options.rest))
}
