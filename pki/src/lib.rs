//! Certificates: load them, say clearly what is wrong with them, make development ones.
//!
//! One place for both ends of every TLS connection between our processes. aws-lc-rs is the only provider.
