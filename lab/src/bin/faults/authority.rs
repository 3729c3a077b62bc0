//! The deployment's certificates, and their replacement while everything runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use pki::{
    Files,
    development::{Authority, Request},
};

/// The name that typhas prove to clients.
pub(crate) const TYPHA_CN: &str = "typha";
/// The name that clients prove to typhas.
pub(crate) const FELIX_CN: &str = "felix";

/// An authority and what it signed, as files that processes follow.
pub(crate) struct Certificates {
    folder: PathBuf,
    authority: Authority,
    generation: u32,
    pub(crate) typha: Files,
    pub(crate) felix: Files,
}

impl Certificates {
    pub(crate) fn issue(folder: &Path) -> Result<Self> {
        let authority = Authority::new("faults CA 0")?;
        let typha = authority.write(folder, "typha", &Request::named(TYPHA_CN))?;
        let felix = authority.write(folder, "felix", &Request::named(FELIX_CN))?;
        Ok(Self { folder: folder.to_owned(), authority, generation: 0, typha, felix })
    }

    /// Copies the clients' files as they are now, for somebody who will not follow them.
    pub(crate) fn keep_old(&self) -> Result<Files> {
        let folder = self.folder.join(format!("old-{}", self.generation));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let copy = |file: &Path| {
            let copy = folder.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy).map(|_| copy).with_context(|| file.display().to_string())
        };
        Ok(Files { cert: copy(&self.felix.cert)?, key: copy(&self.felix.key)?, ca: copy(&self.felix.ca)? })
    }

    /// Lets the holder of old files trust the authority of today, so that only the other side can refuse it.
    pub(crate) fn trust_anew(&self, old: &Files) -> Result<()> {
        let ca = fs::read_to_string(&old.ca).with_context(|| old.ca.display().to_string())?;
        replace(&old.ca, &(ca + &self.authority.certificate_pem()))
    }

    /// Step one of a rotation: a new authority beside the old one.
    pub(crate) fn overlap(&mut self) -> Result<()> {
        self.generation += 1;
        let old = self.authority.certificate_pem();
        self.authority = Authority::new(&format!("faults CA {}", self.generation))?;
        replace(&self.felix.ca, &(old + &self.authority.certificate_pem()))
    }

    /// Step two: everybody's certificates by the new authority.
    pub(crate) fn reissue(&self) -> Result<()> {
        for (files, name) in [(&self.typha, TYPHA_CN), (&self.felix, FELIX_CN)] {
            let issued = self.authority.issue(&Request::named(name))?;
            replace(&files.cert, &issued.certificate_pem)?;
            replace(&files.key, &issued.key_pem)?;
        }
        Ok(())
    }

    /// Step three: the old authority vouches for nobody any more.
    pub(crate) fn retire(&self) -> Result<()> {
        replace(&self.felix.ca, &self.authority.certificate_pem())
    }
}

/// As cert-manager and the kubelet do: a file is either the old one or the new one.
fn replace(file: &Path, text: &str) -> Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text).and_then(|()| fs::rename(&new, file)).with_context(|| file.display().to_string())
}
