//! Points in time as a span's field carries them: nanoseconds since 1970, which no integer field of `tracing` and
//! OpenTelemetry both takes without loss.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) fn to_text(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

pub(crate) fn from_text(text: &str) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(text.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back() {
        let now = SystemTime::now();
        assert_eq!(from_text(&to_text(now)), Some(now));
    }
}
