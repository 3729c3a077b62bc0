//! `cargo xtask test`: every test of the workspace, with what they need at hand.

use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail};

use crate::{
    disk::{self, Build},
    needs::{self, Need},
    run,
};

/// What the tests of all rooms need.
const NEEDS: &[Need] = &[Need::CCompiler, Need::Iproute2, Need::Nftables, Need::Etcd, Need::Etcdctl, Need::Chromium];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Passed on to `cargo test`, such as `-p calc` or `-- --nocapture`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    disk::check(&run::target_dir(), Build::Tests)?;
    needs::provide(NEEDS)?;
    let selection: &[OsString] = if options.rest.is_empty() { &["--workspace".into()] } else { &options.rest };
    // Tests start the workspace's own programs and look for them where cargo puts them.
    run::check(&mut run::cargo(["build", "--workspace", "--bins"]))?;
    let mut test = run::cargo(["test", "--no-fail-fast"]);
    test.args(selection);
    if needs::is_root() {
        return run::pass_through(&mut test);
    }
    run::check(run::cargo(["test", "--no-run"]).args(selection))?;
    run::pass_through(&mut in_user_namespace(&test)?)
}

/// The kernel tests want to be root over a network of their own, which a user namespace gives without privileges.
fn in_user_namespace(command: &Command) -> Result<Command> {
    let namespaces = ["--user", "--map-root-user", "--net", "--mount"];
    let allowed = Command::new("unshare").args(namespaces).arg("true").status().is_ok_and(|status| status.success());
    if !allowed {
        bail!(
            "the kernel tests need root or user namespaces; run as root, or allow them: \
             sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
        );
    }
    let mut wrapped = Command::new("unshare");
    wrapped.args(namespaces).args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
    wrapped.arg(command.get_program()).args(command.get_args()).current_dir(run::root());
    Ok(wrapped)
}
