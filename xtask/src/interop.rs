//! The Go module `interop/`: the real Calico Typha and a load client for it. Go is needed for nothing else here.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{needs, run};

/// The newest Go that Calico v3.31 works with; any Go from 1.21 on fetches it by itself.
const GO: &str = "go1.25.5";
/// The way out where that is not to be had.
const INSTALL: &str =
    "install Go 1.21 or later, from https://go.dev/dl/ or as Debian's golang-go where that is new enough";
/// What is ours of the module.
const OURS: &str = "./syncload/...";

/// A Go command in the module. See to it by [`provide`] that there is one.
pub(crate) fn go() -> Command {
    let mut go = Command::new("go");
    go.env("GOTOOLCHAIN", GO).current_dir(run::root().join("interop"));
    go
}

/// Fails where there is no Go that works, with the way out.
pub(crate) fn provide() -> Result<()> {
    if needs::find("go").is_none() {
        bail!("the program `go` is missing; {INSTALL}");
    }
    let version = run::output(go().arg("version")).with_context(|| format!("no {GO} to be had; {INSTALL}"))?;
    if !version.contains(GO) {
        bail!("`go` does not fetch {GO} ({}); {INSTALL}", version.trim());
    }
    Ok(())
}

/// Holds our part of it against gofmt and vet, and runs its tests.
pub(crate) fn check() -> Result<()> {
    provide()?;
    let root = run::output(go().args(["env", "GOROOT"]))?;
    let mut gofmt = Command::new(format!("{}/bin/gofmt", root.trim()));
    let unformatted = run::output(gofmt.args(["-l", "syncload"]).current_dir(run::root().join("interop")))?;
    if !unformatted.is_empty() {
        bail!("gofmt -w would change: {}", unformatted.split_whitespace().collect::<Vec<_>>().join(", "));
    }
    run::check(go().args(["vet", "-mod=readonly", OURS]))?;
    run::check(go().args(["test", "-mod=readonly", OURS]))
}
