//! What lints miss: the import fences, orphan and overgrown files, dead links in docs.

mod fences;
mod files;
mod links;

use anyhow::{Result, bail};

/// Runs every check and prints every complaint.
pub(crate) fn check() -> Result<()> {
    let complaints: Vec<String> = [fences::check()?, files::check()?, links::check()?].concat();
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if !complaints.is_empty() {
        bail!("{} complaints", complaints.len());
    }
    Ok(())
}
