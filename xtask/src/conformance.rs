//! `cargo xtask conformance`: run the lab's conformance runner.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    needs::{self, Need},
    passed_on::PassedOn,
    run,
};

pub(crate) fn run(PassedOn { words }: &PassedOn) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::Iproute2])?;
    // In the caller's directory: paths on the command line are the caller's.
    let mut runner = Command::new(run::build_program("conformance")?);
    run::pass_through(runner.args(words))
}
