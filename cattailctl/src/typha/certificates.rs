//! Which replicas' certificates need somebody's attention. Pure.

use super::{
    ask::{Certificate, Status},
    span::Span,
};

/// A line for files that cannot be used, and one for each certificate with less left than `fail_under`; where that is not given, for each of whose life so
/// little is left that its renewal must have been missed.
pub(super) fn complaints(status: &Status, fail_under: Option<Span>) -> Vec<String> {
    if status.certificates.is_empty() && fail_under.is_some() {
        return vec!["does not tell when its certificates expire; it is older than --fail-under".to_owned()];
    }
    let refused = status.certificates_refused.iter();
    let refused =
        refused.map(|reason| format!("goes on with its old certificates, the new ones cannot be used: {reason}"));
    let short = status.certificates.iter().filter_map(|certificate| complaint(certificate, fail_under));
    refused.chain(short).collect()
}

/// The least that is left of any of a replica's certificates.
pub(super) fn least_left(status: &Status) -> Option<Span> {
    status.certificates.iter().map(|certificate| Span::from_ms(certificate.left_ms)).min()
}

fn complaint(certificate: &Certificate, fail_under: Option<Span>) -> Option<String> {
    let left = Span::from_ms(certificate.left_ms);
    let too_little = match fail_under {
        Some(limit) if left < limit => format!("which is less than {limit}"),
        None if certificate.is_short => "less than three tenths of its life".to_owned(),
        _ => return None,
    };
    let what = if certificate.role == "ca" { "CA" } else { "certificate" };
    let Certificate { subject, file, left_ms, .. } = certificate;
    let state = if *left_ms == 0 { "has expired".to_owned() } else { format!("has {left} left, {too_little}") };
    Some(format!("has a {what} ({subject} in {file}) that {state}; issue a new one and replace the file"))
}
