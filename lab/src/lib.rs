//! Network namespaces as nodes and pods, real packets between them; the quickstart and packet conformance.

pub mod conformance;
pub mod interrupt;
pub mod net;
