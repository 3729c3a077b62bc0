//! The sync protocol's client: what typha streams, verified, from whichever replica answers, for ever.
//!
//! Pure inside (`protocol`, `ledger`, `frame`, `retry`, `freshness`, `course`), I/O at the door (`connection`, `discovery`,
//! `session`). Two clients share
//! it: [`Client`] verifies every state it hands out; [`LightClient`] keeps nothing and counts, for load tests.
//! What resources mean is not known here; that is the agent's business.

mod certificates;
mod choice;
mod client;
mod config;
mod connection;
mod course;
mod disconnect;
mod discovery;
mod event;
mod frame;
mod freshness;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod ledger;
mod light;
mod metrics;
mod protocol;
mod report;
mod preference;
mod retry;
mod replica;
mod session;
mod transport;

pub use self::{
    client::Client,
    config::Config,
    choice::{Cause, Choice},
    disconnect::Disconnect,
    event::{Event, Mode, Updates},
    frame::FrameError,
    discovery::{Discovery, Found, Lookup, Resolve},
    light::{LightClient, LightEvent},
    metrics::Metrics,
    protocol::ProtocolError,
    report::{Failure, Report, Reporter},
    preference::in_order,
};
    replica::Replica,
