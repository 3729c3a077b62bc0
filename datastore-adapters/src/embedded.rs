//! The embedded datastore: nothing to install, one file, for one machine.
//!
//! [`Engine`] is a revisioned store like etcd's: every transaction makes a revision, the recent ones can be read and
//! watched. [`serve`] offers it over etcd's own API, so that everything here reaches it exactly as it reaches etcd.
//! It is not replicated and is not meant to be: more than one machine means etcd.

mod api;
mod engine;
mod error;
mod key_range;
mod lease;
mod log;
mod record;
mod request;
mod request_error;
mod state;
mod transaction;
mod writer;

#[cfg(feature = "fuzzing")]
pub(crate) use self::api::fuzzing;
pub use self::{
    api::{ServeError, TlsFiles, serve, serve_tls},
    engine::Engine,
    error::EngineError,
    request_error::RequestError,
};
