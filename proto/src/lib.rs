//! The wire schema between typha and its clients: generated code only, no logic, no domain types.
//!
//! The schema and its rules stand in `sync/v1/sync.proto`.

/// The sync protocol, version 1.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod sync {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("cattail.sync.v1");
    }
}
