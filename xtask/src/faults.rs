//! `cargo xtask faults`: build the programs, then hand over to the lab's faults.

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::Result;

use crate::{
    needs::{self, Need},
    passed_on::PassedOn,
    run,
};

pub(crate) fn run(PassedOn { words }: &PassedOn) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::Iproute2])?;
    if env::var_os("CATTAIL_ETCD").is_none() {
        needs::provide(&[Need::Etcd])?;
    }
    let mut faults = if words.iter().any(|word| word == "--quick") {
        // It is about what is lost, not about what it costs.
        Command::new(run::build_program("faults")?)
    } else {
        Command::new(run::build_released("lab", "faults")?)
    };
    run::pass_through(faults.args(words))
}
