//! `cargo xtask faults`: build the programs, then hand over to the lab's faults.

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
    /// Faults, `--quick`, `--clients N`, `--json FILE`; `--help` tells more.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::Iproute2, Need::Etcd])?;
    let mut faults = if options.rest.iter().any(|word| word == "--quick") {
        // It is about what is lost, not about what it costs.
        Command::new(run::build_program("faults")?)
    } else {
        run::check(&mut run::cargo(["build", "--release", "--package", "typha", "--package", "lab", "--bins"]))?;
        Command::new(run::target_dir().join("release/faults"))
    };
    run::pass_through(faults.args(&options.rest))
}
