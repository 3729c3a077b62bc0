//! Room for content that we send (RFC 9113 section 5.2).

/// The largest window (section 6.9.1).
const LARGEST: i32 = i32::MAX;

/// What may still be sent. Below zero where the peer took room back (section 6.9.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    bytes: i32,
}

/// A window would become larger than any may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Window {
    /// `bytes` must have been checked to be no more than 2^31 - 1; what is above is cut off.
    pub(super) fn new(bytes: u32) -> Self {
        Self { bytes: i32::try_from(bytes).unwrap_or(LARGEST) }
    }

    pub(super) fn available(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(0)
    }

    /// Makes room.
    pub(super) fn grow(&mut self, bytes: u32) -> Result<(), Overflow> {
        let bytes = i32::try_from(bytes).map_err(|_| Overflow)?;
        self.bytes = self.bytes.checked_add(bytes).ok_or(Overflow)?;
        Ok(())
    }

    /// The peer's initial window changed from one size to another.
    pub(super) fn shift(&mut self, from: u32, to: u32) -> Result<(), Overflow> {
        let shifted = i64::from(self.bytes) + i64::from(to) - i64::from(from);
        self.bytes = i32::try_from(shifted).map_err(|_| Overflow)?;
        Ok(())
    }

    /// Uses what was found to be available.
    pub(super) fn take(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(i32::try_from(bytes).unwrap_or(LARGEST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_become_negative_and_never_too_large() {
        let mut window = Window::new(100);
        window.take(100);
        assert_eq!(window.shift(100, 40), Ok(()));
        assert_eq!(window.available(), 0);
        assert_eq!(window.grow(61), Ok(()));
        assert_eq!(window.available(), 1);
        assert_eq!(window.grow(LARGEST as u32), Err(Overflow));
        assert_eq!(window.grow(1 << 31), Err(Overflow));
        assert_eq!(window.grow(LARGEST as u32 - 1), Ok(()));
        assert_eq!(window.shift(0, 1), Err(Overflow));
    }
}
