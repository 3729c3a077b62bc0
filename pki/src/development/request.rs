//! What a development certificate shall say.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, SanType};

/// How far before the present development certificates begin: clocks of virtual machines differ a little.
const BACKDATED: Duration = Duration::from_hours(1);
/// How long development certificates last: longer than anyone leaves a playground running.
const LIFETIME: Duration = Duration::from_hours(30 * 24);
/// What a certificate shall say.
#[derive(Clone, Debug)]
pub struct Request {
    /// The subject's common name.
    pub common_name: String,
    /// A URI among the alternative names.
    pub uri_san: Option<String>,
    /// DNS names and addresses among the alternative names.
    pub hosts: Vec<String>,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

impl Request {
    /// A certificate for a common name, valid from now.
    pub fn named(common_name: impl Into<String>) -> Self {
        let now = SystemTime::now();
        Self {
            common_name: common_name.into(),
            uri_san: None,
            hosts: Vec::new(),
            not_before: now - BACKDATED,
            not_after: now + LIFETIME,
        }
    }

    pub(super) fn params(&self) -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(self.hosts.clone())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, self.common_name.clone());
        if let Some(uri) = &self.uri_san {
            params.subject_alt_names.push(SanType::URI(uri.as_str().try_into()?));
        }
        params.not_before = self.not_before.into();
        params.not_after = self.not_after.into();
        Ok(params)
    }
}
