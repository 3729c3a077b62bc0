//! What a program is told: by flags, by environment variables and by a file, in this order of precedence.
//!
//! One implementation for all binaries. It knows no setting by name: it looks into the binary's own `clap` definition,
//! where every flag's name is also its key in the file. What a setting means is the binary's business.

mod definition;
mod document;
mod environment;
mod file;
mod load;
mod observation;
mod reference;
mod show;
mod spelling;

pub use self::{
    definition::Program,
    document::hold,
    load::{Settings, load},
    observation::{LogFormat, Observation},
    reference::table,
};
