//! Header blocks of responses: literals only, because what is said once per stream is not worth remembering.

use http::{HeaderMap, StatusCode};

/// Field of the static table: `:status: 200`.
const STATUS_200: u8 = 0x80 | 8;
/// Literal without indexing, its name being that of `:status` in the static table.
const STATUS: u8 = 8;
/// Literal without indexing, its name follows.
const NAME_FOLLOWS: u8 = 0;
/// The dynamic table is to be of size 0 from now on.
const NO_TABLE: u8 = 0x20;

/// The largest prefix of a string's length.
const SHORT: usize = 0x7f;

/// What the peer must be told of a table that we never fill.
#[derive(Debug, Default)]
pub(in super::super) struct Encoder {
    /// The peer wants a smaller table than the one that it began with, and waits to be told that it is
    /// (RFC 7541 section 4.2).
    owes_resize: bool,
    /// It was told that there is none.
    has_no_table: bool,
}

impl Encoder {
    /// The peer sets a limit to the table.
    pub(in super::super) fn limit(&mut self, bytes: u32, default_bytes: usize) {
        self.owes_resize |= (bytes as usize) < default_bytes && !self.has_no_table;
    }

    /// The block of a response's headers, or of trailers.
    pub(in super::super) fn encode(&mut self, status: Option<StatusCode>, fields: &HeaderMap) -> Vec<u8> {
        let mut block = Vec::new();
        if std::mem::take(&mut self.owes_resize) {
            self.has_no_table = true;
            block.push(NO_TABLE);
        }
        match status {
            Some(StatusCode::OK) => block.push(STATUS_200),
            Some(status) => {
                block.push(STATUS);
                string(&mut block, status.as_str().as_bytes());
            }
            None => {}
        }
        for (name, value) in fields {
            block.push(NAME_FOLLOWS);
            string(&mut block, name.as_str().as_bytes());
            string(&mut block, value.as_bytes());
        }
        block
    }
}

/// Puts a string as it is.
fn string(block: &mut Vec<u8>, text: &[u8]) {
    match text.len().checked_sub(SHORT) {
        None => block.push(text.len() as u8),
        Some(mut rest) => {
            block.push(SHORT as u8);
            while rest >= 0x80 {
                block.push(0x80 | (rest & 0x7f) as u8);
                rest >>= 7;
            }
            block.push(rest as u8);
        }
    }
    block.extend_from_slice(text);
}
