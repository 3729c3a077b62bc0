//! From when and until when a certificate is valid, and whether that should worry somebody.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustls::pki_types::CertificateDer;
use x509_parser::time::ASN1Time;

use crate::{LoadError, files::parse};

/// Less than three tenths of its life left means that a certificate's renewal was missed, whether it lives for a day or
/// for ten years. cert-manager renews when a third is left; the difference is for issuing it and for the way of a Secret
/// into its pods, which takes minutes.
const SHORT: f64 = 0.3;

/// The life of a certificate.
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
    /// The CA's certificate; of several, the one that expires first: it is the next that somebody has to see to.
    pub ca: Life,
    /// Of the CA's certificates the one that expires last: until then some peers can be admitted.
    pub last_ca: Life,
    /// What the CA's file holds besides, and is out of its time: it vouches for nobody.
    pub left_out: Vec<Life>,
}

impl Expiry {
    /// Both, by the names that metrics have for them.
    pub fn named(&self) -> [(&'static str, &Life); 2] {
        [("own", &self.own), ("ca", &self.ca)]
    }

    /// Why nobody can be admitted any more: our own certificate has expired, or every CA. One CA of several does no harm.
    pub fn complaint(&self, now: SystemTime) -> Option<String> {
        let expired = [&self.own, &self.last_ca].into_iter().find(|life| life.not_after < now);
        expired.map(|life| format!("{}; replace the file, it is then taken into use within seconds", life.says()))
    }

    /// Which of the CA's certificates are left out, and why.
    pub(crate) fn flaws(&self, now: SystemTime) -> Vec<String> {
        self.left_out.iter().filter_map(|life| life.flaw(now)).collect()
    }

    /// Whether the same file has other CAs to offer now than when it was read: one in force has expired, or the time of
    /// one that was left out has come.
    pub(crate) fn is_outdated(&self, now: SystemTime) -> bool {
        self.ca.not_after < now || self.left_out.iter().any(|life| life.is_valid(now))
    }
}

impl Life {
    pub(crate) fn of(file: &Path, certificate: &CertificateDer<'_>) -> Result<Self, LoadError> {
        let parsed = parse(certificate).map_err(|reason| LoadError::Unusable { file: file.into(), reason })?;
        let (not_before, not_after) = (time(parsed.validity().not_before), time(parsed.validity().not_after));
        Ok(Self { file: file.into(), subject: parsed.subject().to_string(), not_before, not_after })
    }

    pub(crate) fn is_valid(&self, now: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// Refuses what is out of its time.
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), LoadError> {
        let (file, subject) = (self.file.clone(), self.subject.clone());
        if self.not_after < now {
            return Err(LoadError::Expired { file, subject, not_after: date(self.not_after) });
        }
        if now < self.not_before {
            return Err(LoadError::NotYetValid { file, subject, not_before: date(self.not_before) });
        }
        Ok(())
    }

    /// Why it is out of its time, if it is.
    pub(crate) fn flaw(&self, now: SystemTime) -> Option<String> {
        if self.not_after < now {
            return Some(format!("{} expired on {}", self.subject, date(self.not_after)));
        }
        (now < self.not_before).then(|| format!("{} is not valid before {}", self.subject, date(self.not_before)))
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
        let not_after = date(self.not_after);
        format!("the certificate of {} in {} is valid until {not_after}", self.subject, self.file.display())
    }
}

/// Certificates in use end after 1970.
fn time(asn1: ASN1Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(asn1.timestamp().max(0) as u64)
}

fn date(time: SystemTime) -> String {
    ASN1Time::new(time.into()).to_string()
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

    #[test]
    fn one_ca_of_several_may_expire() {
        let start = SystemTime::UNIX_EPOCH + 1000 * DAY;
        let life = |subject: &str, from: u32, to: u32| {
            let (not_before, not_after) = (start + from * DAY, start + to * DAY);
            Life { file: "ca.crt".into(), subject: subject.to_owned(), not_before, not_after }
        };
        let (own, ca, last_ca) = (life("CN=typha", 0, 30), life("CN=old", 0, 10), life("CN=new", 0, 20));
        let expiry = Expiry { own, ca, last_ca, left_out: vec![life("CN=next", 5, 40)] };
        let after = |days: u32| start + days * DAY;
        assert_eq!((expiry.is_outdated(after(4)), expiry.is_outdated(after(5))), (false, true), "its time has come");
        let expiry = Expiry { left_out: Vec::new(), ..expiry };
        assert_eq!((expiry.is_outdated(after(10)), expiry.is_outdated(after(11))), (false, true), "one has expired");
        assert_eq!(expiry.complaint(after(20)), None);
        let complaint = expiry.complaint(after(21)).expect("none is left");
        assert!(complaint.contains("CN=new") && complaint.contains("ca.crt"), "{complaint}");
        let expiry = Expiry { last_ca: life("CN=new", 0, 90), ..expiry };
        assert!(expiry.complaint(after(31)).is_some_and(|complaint| complaint.contains("CN=typha")));
    }
}
