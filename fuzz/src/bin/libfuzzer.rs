//! The program that libFuzzer drives: all targets in one, so that instrumenting the workspace takes one build. Which of
//! them is run is told by the environment, because libFuzzer's main takes all arguments.

#![no_main]

use std::{env, sync::OnceLock};

use fuzz::{TARGETS, Target, target};

/// Names the target.
const VARIABLE: &str = "CATTAIL_FUZZ_TARGET";

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (CHOSEN.get_or_init(chosen).run)(bytes));

fn chosen() -> &'static Target {
    // libFuzzer's crate ends the process in every panic, those that a target expects and catches included. One that
    // leaves a target ends it all the same.
    drop(std::panic::take_hook());
    let name = env::var(VARIABLE).unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("{VARIABLE} must be one of {}, not {name:?}; `cargo xtask fuzz` sets it", names.join(", "))
    })
}
