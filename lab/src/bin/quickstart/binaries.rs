//! Where the production programs are.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

/// Paths of the programs that the quickstart runs.
#[derive(Debug)]
pub(crate) struct Binaries {
    pub(crate) cattail_store: PathBuf,
    pub(crate) typha: PathBuf,
    pub(crate) felix: PathBuf,
    pub(crate) cattailctl: PathBuf,
}

impl Binaries {
    /// Looks into the given folder, or beside this program.
    pub(crate) fn find(folder: Option<&Path>) -> Result<Self> {
        let own = env::current_exe().context("finding this program's own path")?;
        let folder = folder.or_else(|| own.parent()).unwrap_or(Path::new("."));
        let find = |name: &str| {
            let path = folder.join(name);
            if !path.is_file() {
                bail!("{} is missing: run `cargo xtask quickstart`, which builds it first", path.display());
            }
            Ok(path)
        };
        Ok(Self {
            cattail_store: find("cattail-store")?,
            typha: find("typha")?,
            felix: find("felix")?,
            cattailctl: find("cattailctl")?,
        })
    }
}
