//! The admin port: where a process tells whoever asks how it is, over plain HTTP. What it tells is its own business; how many
//! may ask at a time, and how another process is asked, is the same for all.

mod ask;
mod serve;

pub use self::{
    ask::{Bounds, Silence, addresses, ask},
    serve::serve,
};
