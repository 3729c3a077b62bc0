//! The sync protocol's client: what typha streams, verified, from whichever replica answers, for ever.
//!
//! Pure inside (`protocol`, `ledger`, `frame`, `retry`, `freshness`, `preference`, `course`), I/O at the door (`connection`,
//! `discovery`, `session`). Two clients share it: [`Client`] verifies every state it hands out; [`LightClient`] keeps
//! nothing and counts, for load tests. What resources mean is not known here; that is the agent's business.

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
mod preference;
mod protocol;
mod replica;
mod report;
mod retry;
mod session;
#[cfg(test)]
mod simulation;
mod transport;

pub use self::{
    choice::{Cause, Choice},
    client::Client,
    config::Config,
    disconnect::Disconnect,
    discovery::{Discovery, Found, Lookup, Resolve},
    event::{Event, Mode, Updates},
    frame::FrameError,
    light::{LightClient, LightEvent},
    metrics::Metrics,
    preference::in_order,
    protocol::ProtocolError,
    replica::Replica,
    report::{Failure, Report, Reporter},
};
