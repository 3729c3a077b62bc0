//! Why the store does not do what it was asked.

/// Why a request is not done. The messages are etcd's, because its clients look for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The revision is gone.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// The revision is yet to come.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// A write or read without a key.
    #[error("etcdserver: key is not provided")]
    EmptyKey,
    /// A transaction that writes a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// A transaction with too many operations.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOperations,
    /// A request that is too large.
    #[error("etcdserver: request is too large")]
    TooLarge,
    /// A put that keeps the value or lease of a key that is not there.
    #[error("etcdserver: key not found")]
    KeyNotFound,
    /// A lease that is not there, or no more.
    #[error("etcdserver: requested lease not found")]
    LeaseNotFound,
    /// A lease that is there already.
    #[error("etcdserver: lease already exists")]
    LeaseExists,
    /// The log cannot be written; the message names the file.
    #[error("{0}")]
    Storage(String),
    /// The store is being closed.
    #[error("etcdserver: server stopped")]
    Closed,
}
