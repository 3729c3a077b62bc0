//! Reachability cases of others, decided by our policy path: every cell of a file must come out as its maker says.
//!
//! Without packets ([`evaluation`]) the cells are read off calc's intents. With packets ([`packets`]) a choice of the
//! cases runs in network namespaces, with the real dataplane between the pods.

mod case;
mod choose;
mod cluster;
pub mod evaluation;
mod objects;
pub mod packets;
mod read;
mod tally;

pub use self::{
    case::{Case, Cell, CellPort, CellProtocol, Connectivity, Pod, PodPort, Step},
    choose::choose,
    read::read,
    tally::{Failure, Tally},
};

#[cfg(test)]
mod tests;
