//! Cryptography: aws-lc-rs, with the suites in the order in which we like them.

use rustls::{
    SupportedCipherSuite,
    crypto::{CryptoProvider, aws_lc_rs, hash::HashAlgorithm},
};

/// All suites that rustls offers, those with SHA-256 first: processors compute it in hardware, and SHA-384 they do not.
/// It is a sixth of a handshake that resumes a session. AES with keys of 128 bits, which comes with it, is as safe as
/// anything that a P-256 certificate vouches for.
pub(crate) fn provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| hash(suite) != HashAlgorithm::SHA256);
    provider
}

fn hash(suite: &SupportedCipherSuite) -> HashAlgorithm {
    match suite {
        SupportedCipherSuite::Tls12(suite) => suite.common.hash_provider.algorithm(),
        SupportedCipherSuite::Tls13(suite) => suite.common.hash_provider.algorithm(),
    }
}

#[cfg(test)]
mod tests {
    use rustls::CipherSuite;

    use super::*;

    #[test]
    fn suites_with_sha_256_come_first_and_none_is_missing() {
        let suites: Vec<_> = provider().cipher_suites.iter().map(SupportedCipherSuite::suite).collect();
        assert_eq!(suites[0], CipherSuite::TLS13_AES_128_GCM_SHA256);
        assert!(suites.contains(&CipherSuite::TLS13_AES_256_GCM_SHA384));
        assert_eq!(suites.len(), aws_lc_rs::DEFAULT_CIPHER_SUITES.len());
    }
}
