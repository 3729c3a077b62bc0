//! The oldest version of TLS that an end speaks, by the names that Kubernetes' components use for it.

use std::{fmt, str::FromStr};

use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};
use thiserror::Error;

static FROM_TLS13: [&SupportedProtocolVersion; 1] = [&TLS13];
static FROM_TLS12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 or newer, for peers that know no better.
    V12,
    /// TLS 1.3, the newest there is.
    #[default]
    V13,
}

/// A name that is no version's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no version of TLS that is spoken here; write VersionTLS13 or VersionTLS12")]
pub struct UnknownTlsVersion(String);

impl TlsVersion {
    /// This version and those that are newer.
    pub(crate) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V12 => &FROM_TLS12,
            Self::V13 => &FROM_TLS13,
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V12 => "VersionTLS12",
            Self::V13 => "VersionTLS13",
        })
    }
}

impl FromStr for TlsVersion {
    type Err = UnknownTlsVersion;

    fn from_str(name: &str) -> Result<Self, UnknownTlsVersion> {
        let version = [Self::V12, Self::V13].into_iter().find(|version| version.to_string() == name);
        version.ok_or_else(|| UnknownTlsVersion(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_others_are_refused() {
        for version in [TlsVersion::V12, TlsVersion::V13] {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        let error = "1.1".parse::<TlsVersion>().unwrap_err().to_string();
        assert!(error.contains("\"1.1\"") && error.contains("VersionTLS13"), "{error}");
    }
}
