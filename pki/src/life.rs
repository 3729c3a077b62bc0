//! From when and until when a certificate is valid, and whether that should worry somebody.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use x509_parser::time::ASN1Time;

use crate::{
    LoadError,
    files::{parse, read_certificates},
};

/// Less than three tenths of its life left means that a certificate's renewal was missed, whether it lives for a day or
/// for ten years. cert-manager renews when a third is left; the difference is for issuing it and for the way of a Secret
/// into its pods, which takes minutes.
const SHORT: f64 = 0.3;

/// The life of the certificate in a file; of several, that of the one that expires first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// The file.
    pub file: PathBuf,
    /// Whose certificate it is.
    pub subject: String,
    /// From when it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
}

/// The lives of the certificates in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Our own certificate, or an intermediate that comes with it if that expires earlier.
    pub own: Life,
    /// The CA's certificate; of several, the one that expires first.
    pub ca: Life,
}

impl Expiry {
    /// Both, by the names that metrics have for them.
    pub fn named(&self) -> [(&'static str, &Life); 2] {
        [("own", &self.own), ("ca", &self.ca)]
    }

    /// Why the certificates in force are good for nothing any more; none while they are valid.
    pub fn complaint(&self, now: SystemTime) -> Option<String> {
        let expired = self.named().into_iter().find(|(_, life)| life.not_after < now);
        expired.map(|(_, life)| format!("{}; replace the file, it is then taken into use within seconds", life.says()))
    }
}

impl Life {
    pub(crate) fn earliest(file: &Path, text: &[u8]) -> Result<Self, LoadError> {
        let mut earliest: Option<Self> = None;
        for certificate in read_certificates(file, text)? {
            let parsed = parse(&certificate).map_err(|reason| LoadError::Unusable { file: file.into(), reason })?;
            let (not_before, not_after) = (time(parsed.validity().not_before), time(parsed.validity().not_after));
            if earliest.as_ref().is_none_or(|earliest| not_after < earliest.not_after) {
                let subject = parsed.subject().to_string();
                earliest = Some(Self { file: file.into(), subject, not_before, not_after });
            }
        }
        earliest.ok_or_else(|| LoadError::NoCertificate { file: file.into() })
    }

    /// How long it is still valid; nothing when it has expired.
    pub fn left(&self, now: SystemTime) -> Duration {
        self.not_after.duration_since(now).unwrap_or_default()
    }

    /// How much of its life is left: 1 when it was issued, 0 when it has expired.
    pub fn left_ratio(&self, now: SystemTime) -> f64 {
        let whole = self.not_after.duration_since(self.not_before).unwrap_or_default();
        if whole.is_zero() { 0.0 } else { self.left(now).div_duration_f64(whole) }
    }

    /// Whether so little of its life is left that its renewal must have been missed.
    pub fn is_short(&self, now: SystemTime) -> bool {
        self.left_ratio(now) < SHORT
    }

    /// Whose certificate, in which file, until when.
    pub(crate) fn says(&self) -> String {
        let not_after = ASN1Time::new(self.not_after.into());
        format!("the certificate of {} in {} is valid until {not_after}", self.subject, self.file.display())
    }
}

/// Certificates in use end after 1970.
fn time(asn1: ASN1Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(asn1.timestamp().max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn short_is_a_share_of_the_whole_life() {
        for days in [1, 90, 3650] {
            let not_before = SystemTime::UNIX_EPOCH + 1000 * DAY;
            let not_after = not_before + days * DAY;
            let life = Life { file: "tls.crt".into(), subject: "CN=typha".to_owned(), not_before, not_after };
            let whole = days * DAY;
            assert!(!life.is_short(not_after - whole / 3), "a third of {days} days is when renewal begins");
            assert!(life.is_short(not_after - whole / 4), "a quarter of {days} days");
            assert!(life.is_short(not_after + DAY), "expired");
            assert_eq!((life.left(not_after - DAY), life.left(not_after + DAY)), (DAY, Duration::ZERO));
        }
    }
}
