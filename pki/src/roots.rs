//! The CAs that vouch for peers: those of the CA's file that are valid now.
//!
//! While a CA is replaced its file holds the old one and the new one, and either may be out of its time: it is left out
//! and told of (see [`crate::Reminder`]), and the others serve. webpki does not look at the dates of a trust anchor, so
//! that it must not be given one that has expired.

use std::{path::Path, time::SystemTime};

use rustls::RootCertStore;

use crate::{Life, LoadError, files::read_certificates};

/// What the CA's file gives at one moment.
pub(crate) struct Roots {
    /// All that are valid.
    pub(crate) store: RootCertStore,
    /// Of these, the one that expires first.
    pub(crate) first: Life,
    /// And the one that expires last.
    pub(crate) last: Life,
    /// Those that are not valid.
    pub(crate) left_out: Vec<Life>,
}

impl Roots {
    /// Understands the file's text; at least one CA must be valid.
    pub(crate) fn read(file: &Path, text: &[u8], now: SystemTime) -> Result<Self, LoadError> {
        let (mut store, mut valid, mut left_out) = (RootCertStore::empty(), Vec::new(), Vec::new());
        for certificate in read_certificates(file, text)? {
            let life = Life::of(file, &certificate)?;
            if !life.is_valid(now) {
                left_out.push(life);
                continue;
            }
            let unusable = |error: rustls::Error| LoadError::Unusable { file: file.into(), reason: error.to_string() };
            store.add(certificate).map_err(unusable)?;
            valid.push(life);
        }
        valid.sort_by_key(|life| life.not_after);
        let (Some(first), Some(last)) = (valid.first().cloned(), valid.pop()) else {
            // The newest is the one that was meant.
            let newest = left_out.iter().max_by_key(|life| life.not_after);
            newest.map_or(Ok(()), |life| life.check(now))?;
            return Err(LoadError::NoCertificate { file: file.into() });
        };
        Ok(Self { store, first, last, left_out })
    }
}
