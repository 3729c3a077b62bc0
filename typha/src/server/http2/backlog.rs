//! What was written to a connection and has not reached its peer.

/// A stream that knows it.
pub(crate) trait Backlog {
    /// Bytes that were written and that the peer's kernel does not have yet: because the way there is slow, or because
    /// the peer has not read what came before them.
    fn backlog(&self) -> u32;
}

impl<S: Backlog + ?Sized> Backlog for Box<S> {
    fn backlog(&self) -> u32 {
        (**self).backlog()
    }
}
