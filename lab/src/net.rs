//! Nodes and pods as network namespaces on one machine, real links between them, real packets through them.
//!
//! A [`Lab`] is a bridge (the fabric) to which nodes are joined; pods hang on nodes exactly as Calico's CNI plugin
//! leaves them, and nothing here forwards or filters for them: that is the work of the agent under test. Namespaces
//! have no names: each is held by a descriptor of this process, so that the kernel removes everything, links and
//! rules included, when the process ends in whatever way.
//!
//! Not for production: this room may call `ip`, the agents may not.

mod echo;
mod error;
mod flight;
mod iproute;
mod laboratory;
mod namespace;
mod node;
mod pod;
mod privilege;
pub mod probe;
mod process;
pub mod traffic;
mod watch;

pub use self::{
    echo::{EchoServer, Listen},
    error::LabError,
    laboratory::Lab,
    namespace::Netns,
    node::Node,
    pod::{Pod, interface_name},
    privilege::{Privilege, acquire},
    process::{Process, ProcessSpec},
    watch::Watch,
};
