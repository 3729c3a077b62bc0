//! A development authority that lives as long as the quickstart, and what it signs.

use std::{net::IpAddr, path::Path};

use anyhow::Result;
use pki::{
    Files,
    development::{Authority, Request},
};

/// The name that typhas prove to agents.
pub(crate) const TYPHA_CN: &str = "typha";

/// The name that agents prove to typhas.
pub(crate) const FELIX_CN: &str = "felix";

/// Certificates for both sides.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) typha: Files,
    pub(crate) felix: Files,
}

impl Certificates {
    /// Makes an authority, forgets its key, and leaves what it signed in a folder.
    pub(crate) fn issue(folder: &Path, server: IpAddr) -> Result<Self> {
        let authority = Authority::new("Cattail quickstart CA")?;
        let mut typha = Request::named(TYPHA_CN);
        typha.hosts = vec![server.to_string()];
        Ok(Self {
            typha: authority.write(folder, "typha", &typha)?,
            felix: authority.write(folder, "felix", &Request::named(FELIX_CN))?,
        })
    }
}
