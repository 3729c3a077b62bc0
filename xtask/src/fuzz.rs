//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, one after another, with the toolchain that is there.
//!
//! What libFuzzer needs of the compiler is stable; the sanitizers, which are not, look for what safe Rust does not do.
//! So no other toolchain and no cargo-fuzz is needed, only a C++ compiler for libFuzzer itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    needs::{self, Need},
    run::{self, Parts},
};

/// Coverage counters on every edge, and what numbers and strings are compared with.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Optimised, and with everything that a debug build checks.
const PROFILE: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2"),
];

/// No input may keep a target busy for longer, or make it hold more.
const INPUT_SECONDS: u32 = 10;
const INPUT_MEGABYTES: u32 = 1024;
/// What is found is found in small inputs.
const INPUT_BYTES: u32 = 16 << 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these targets, by the names of the folders in fuzz/corpus [default: all]
    #[arg(value_name = "TARGET")]
    targets: Vec<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    needs::provide(&[Need::CCompiler, Need::CxxCompiler])?;
    let known = targets()?;
    if let Some(unknown) = options.targets.iter().find(|target| !known.contains(target)) {
        bail!("there is no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    let program = build()?;
    let mut parts = Parts::default();
    for target in chosen {
        parts.part(target, || fuzz(&program, target, options.seconds));
    }
    Ok(parts.finish())
}

/// Every target has a folder of seeds.
fn targets() -> Result<Vec<String>> {
    let folder = run::root().join("fuzz/corpus");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn build() -> Result<PathBuf> {
    let target_dir = run::target_dir().join("fuzz");
    let host = host()?;
    let mut build =
        run::cargo(["build", "--release", "--package", "fuzz", "--bin", "libfuzzer", "--features", "libfuzzer"]);
    // With a target named, build scripts and macros stay without counters.
    build.args(["--target", &host]).arg("--target-dir").arg(&target_dir);
    build.env("RUSTFLAGS", INSTRUMENTATION).envs(PROFILE.iter().copied());
    run::check(&mut build)?;
    Ok(target_dir.join(host).join("release/libfuzzer"))
}

fn host() -> Result<String> {
    let version = run::output(Command::new("rustc").arg("-vV").current_dir(run::root()))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it runs on")?.to_owned())
}

fn fuzz(program: &Path, target: &str, seconds: u32) -> Result<()> {
    let home = run::target_dir().join("fuzz");
    let (found, failures) = (home.join("corpus").join(target), home.join("failures"));
    for folder in [&found, &failures] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let prefix = failures.join(format!("{target}-"));
    let mut fuzzer = Command::new(program);
    fuzzer.env("CATTAIL_FUZZ_TARGET", target).current_dir(run::root());
    fuzzer.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={INPUT_SECONDS}"));
    fuzzer.arg(format!("-rss_limit_mb={INPUT_MEGABYTES}")).arg(format!("-max_len={INPUT_BYTES}"));
    fuzzer.arg(format!("-artifact_prefix={}", prefix.display())).args([
        "-print_final_stats=1",
        "-print_funcs=0",
        "-verbosity=0",
    ]);
    // What is found goes into the first folder; the seeds are only read.
    fuzzer.arg(&found).arg(run::root().join("fuzz/corpus").join(target));
    run::check(&mut fuzzer).with_context(|| {
        format!("the input is in {}*; mend what it breaks and put it into fuzz/corpus/{target}", prefix.display())
    })
}
