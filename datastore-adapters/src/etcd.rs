//! etcd 3.4 and newer, in the layout that Calico uses: as a [`crate::Source`] and as a [`crate::Store`].

mod config;
mod document;
mod error;
mod feed;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod layout;
mod projection;
mod source;
mod store;
mod wire;

pub use self::{
    config::{ConfigError, EtcdConfig},
    source::EtcdSource,
    store::EtcdStore,
};
