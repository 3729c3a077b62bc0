//! Certificates: load them, say clearly what is wrong with them, make development ones.
//!
//! One place for both ends of every TLS connection between our processes. aws-lc-rs is the only provider, both ends
//! show a certificate, and each end admits the other by name (see [`Peers`]). No sockets here.

mod contents;
pub mod development;
mod error;
mod explain;
mod files;
mod life;
mod live;
mod load;
mod peers;
mod provider;
mod reminder;
mod roots;
mod verifier;
mod version;

pub use self::{
    error::LoadError,
    explain::explain,
    files::Files,
    life::{Expiry, Life},
    live::{ClientTls, Live, REFRESH_INTERVAL, Refresh, ServerTls},
    load::{ALPN_H2, load_client, load_server},
    peers::{PeerError, PeerName, Peers},
    reminder::Reminder,
    version::{TlsVersion, UnknownTlsVersion},
};
