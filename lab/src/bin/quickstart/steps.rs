//! What happens in the quickstart, one event a file; `main` has their order.
//!
//! `enforcement` and `steady_traffic` are what several events measure.

pub(crate) mod explore;
pub(crate) mod felix_restart;
pub(crate) mod first_manifests;
pub(crate) mod pod_arrival;
pub(crate) mod policy_change;
pub(crate) mod start_up;
pub(crate) mod typha_failure;

mod enforcement;
mod steady_traffic;
