//! What the three files hold, read as one: never a part from before a change and a part from after it.
//!
//! A Kubernetes Secret's files change all at once, by the exchange of one symbolic link; a look that reads them one by
//! one can fall between. The files are therefore read until two readings agree.

use std::{fs, path::Path};

use crate::{Files, LoadError};

/// Readings before the look is given up. A reading takes some 50 microseconds and Secrets change once a minute at most,
/// so that a second disagreement is rare; whoever writes file by file takes longer, and the next look finds the end.
const READINGS: usize = 5;

/// What the three files hold.
#[derive(PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) cert: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) ca: Vec<u8>,
}

impl Contents {
    /// Reads until nothing changes meanwhile.
    pub(crate) fn read(files: &Files) -> Result<Self, LoadError> {
        let mut earlier = Self::read_once(files);
        for _ in 1..READINGS {
            match (earlier, Self::read_once(files)) {
                (Ok(earlier), Ok(later)) if earlier == later => return Ok(later),
                // A file that is missing twice is missing.
                (Err(_), Err(error)) => return Err(error),
                (_, later) => earlier = later,
            }
        }
        Err(LoadError::Changing { file: files.cert.clone() })
    }

    fn read_once(files: &Files) -> Result<Self, LoadError> {
        Ok(Self { cert: read(&files.cert)?, key: read(&files.key)?, ca: read(&files.ca)? })
    }
}

fn read(file: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(file).map_err(|error| LoadError::Read { file: file.into(), error })
}
