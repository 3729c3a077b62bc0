//! `cargo xtask quickstart`: build the binaries, then hand over to the lab's quickstart.

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
    /// Passed on to the quickstart: `--keep` leaves it running to explore, `--help` tells more.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::Iproute2])?;
    eprintln!("Building Cattail (a few minutes the first time, seconds after that) ...");
    let mut quickstart = Command::new(run::build_program("quickstart")?);
    run::pass_through(quickstart.args(&options.rest).current_dir(run::root()))
}
