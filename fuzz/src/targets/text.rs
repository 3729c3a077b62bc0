//! Targets of texts and certificates.

use model::Key;
use pki::Peers;
use rustls::pki_types::CertificateDer;
use selector::Selector;

/// A key reads back as itself.
pub(super) fn key(bytes: &[u8]) {
    let Some(key) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<Key>().ok()) else { return };
    let again = key.to_string().parse::<Key>();
    assert_eq!(again.as_ref(), Ok(&key), "a key does not read back as itself");
}

/// A selector's canonical text reads back as the same selector.
pub(super) fn selector(bytes: &[u8]) {
    let Some(selector) = std::str::from_utf8(bytes).ok().and_then(|text| Selector::parse(text).ok()) else { return };
    let canonical = selector.to_string();
    let again = Selector::parse(&canonical).map(|again| again.to_string());
    assert_eq!(again.as_ref(), Ok(&canonical), "a canonical text is not canonical");
}

/// A certificate that is no certificate admits nobody.
pub(super) fn certificate(bytes: &[u8]) {
    let admitted = Peers::common_name("felix").check(&[CertificateDer::from(bytes)]);
    assert!(admitted.is_err() || contains(bytes, b"felix"), "somebody else was admitted");
}

fn contains(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len()).any(|window| window == name)
}
