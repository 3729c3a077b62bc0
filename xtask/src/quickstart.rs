//! `cargo xtask quickstart`: build the binaries, then hand over to the lab's quickstart.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    needs::{self, Need},
    passed_on::PassedOn,
    run,
};

pub(crate) fn run(PassedOn { words }: &PassedOn) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::Iproute2])?;
    eprintln!("Building Cattail (a few minutes the first time, seconds after that) ...");
    let mut quickstart = Command::new(run::build_program("quickstart")?);
    run::pass_through(quickstart.args(words).current_dir(run::root()))
}
