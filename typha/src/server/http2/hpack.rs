//! Header compression (RFC 7541): all of it where we read, as little as possible where we write.
//!
//! Memory is bounded by the table's size, which is ours to allow, and by the block's length, which is checked before it
//! comes here. Nothing a peer sends can panic us.

mod decoder;
mod encoder;
mod huffman;
mod table;

#[cfg(test)]
mod tests;

pub(super) use self::{
    decoder::{Decoder, Malformed},
    encoder::Encoder,
    table::FIELD_OVERHEAD_BYTES,
};
