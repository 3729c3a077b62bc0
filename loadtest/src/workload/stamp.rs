//! What a value says about its write: the number and the intended time, in digits that a label may hold.

use std::{fmt, sync::LazyLock, time::Duration};

use memchr::memmem;

/// What stands before the stamp in a value: every value here is JSON without spaces.
const NAME: &[u8] = b"\"loadtest-write\":\"";
/// Digits of the write's number, zero-padded so that every value has the same length.
const NUMBER_DIGITS: usize = 10;
/// Digits of the intended time, zero-padded likewise.
const TIME_DIGITS: usize = 16;

/// Finds the name. Thousands of clients look for it in every value that they are sent.
static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(NAME));

/// Which write a value is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The write's number; 0 for what was there before the first write.
    pub(crate) number: u32,
    /// When it was intended, since the Unix epoch.
    pub(crate) intended: Duration,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}.{:016}", self.number, self.intended.as_micros())
    }
}

/// Which write a value is of; `None` for values that are not ours.
pub(super) fn read(value: &[u8]) -> Option<Stamp> {
    let name = FINDER.find(value)?;
    let start = name + NAME.len();
    let text = std::str::from_utf8(value.get(start..start + NUMBER_DIGITS + 1 + TIME_DIGITS)?).ok()?;
    let (number, intended_us) = text.split_once('.')?;
    Some(Stamp { number: number.parse().ok()?, intended: Duration::from_micros(intended_us.parse().ok()?) })
}
