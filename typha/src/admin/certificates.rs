//! How long the certificates in force last, for `/status`.

use std::time::{SystemTime, UNIX_EPOCH};

use pki::{Life, ServerTls};
use serde::Serialize;

/// A certificate in force.
#[derive(Debug, Serialize)]
pub(super) struct Certificate {
    /// `own` or `ca`, as in metrics.
    role: &'static str,
    file: String,
    subject: String,
    not_before_unix_ms: u64,
    not_after_unix_ms: u64,
    /// How long it is still valid, by this replica's clock; 0 when it has expired.
    left_ms: u64,
    /// Whether so little of its life is left that its renewal must have been missed.
    is_short: bool,
}

/// Those in force, our own first.
pub(super) fn certificates(tls: &ServerTls, now: SystemTime) -> Vec<Certificate> {
    let Some(expiry) = tls.expiry() else { return Vec::new() };
    expiry.named().map(|(name, life)| Certificate::new(name, life, now)).into()
}

impl Certificate {
    fn new(role: &'static str, life: &Life, now: SystemTime) -> Self {
        Self {
            role,
            file: life.file.display().to_string(),
            subject: life.subject.clone(),
            not_before_unix_ms: unix_ms(life.not_before),
            not_after_unix_ms: unix_ms(life.not_after),
            left_ms: life.left(now).as_millis() as u64,
            is_short: life.is_short(now),
        }
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
