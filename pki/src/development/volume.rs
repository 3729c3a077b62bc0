//! A folder that holds a certificate the way a Kubernetes Secret's volume does: the files are links into `..data`, which
//! is a link to the folder of one version and is exchanged in one step.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{CERTIFICATE_MODE, IssueError, Issued, KEY_MODE, write, write_error};
use crate::Files;

/// The names that a Secret of type kubernetes.io/tls has, and the one that cert-manager adds.
const FILES: [&str; 3] = ["tls.crt", "tls.key", "ca.crt"];
const DATA: &str = "..data";

/// A folder with versions of a certificate, one of which is shown.
pub struct Volume {
    folder: PathBuf,
}

impl Volume {
    /// Makes an empty volume in a folder that exists.
    pub fn new(folder: &Path) -> Result<Self, IssueError> {
        for file in FILES {
            symlink(Path::new(DATA).join(file), folder.join(file)).map_err(|error| write_error(folder, error))?;
        }
        Ok(Self { folder: folder.into() })
    }

    /// The files, whatever version they are.
    pub fn files(&self) -> Files {
        let [cert, key, ca] = FILES.map(|file| self.folder.join(file));
        Files { cert, key, ca }
    }

    /// Adds a version, which is not shown yet.
    pub fn add(&self, version: &str, issued: &Issued, ca_pem: &str) -> Result<(), IssueError> {
        let folder = self.folder.join(version);
        fs::create_dir(&folder).map_err(|error| write_error(&folder, error))?;
        let modes = [CERTIFICATE_MODE, KEY_MODE, CERTIFICATE_MODE];
        for ((file, text), mode) in FILES.into_iter().zip([&issued.certificate_pem, &issued.key_pem, ca_pem]).zip(modes)
        {
            write(&folder.join(file), text, mode)?;
        }
        Ok(())
    }

    /// Shows a version: a new link takes the place of the old one.
    pub fn show(&self, version: &str) -> io::Result<()> {
        let new = self.folder.join("..data_tmp");
        symlink(version, &new)?;
        fs::rename(new, self.folder.join(DATA))
    }
}
