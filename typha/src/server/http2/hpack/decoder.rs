//! Header fields out of a header block (RFC 7541 section 6).

use super::{huffman, table::Table};

/// An integer continues in at most this many bytes: nothing longer than 2^28 exists within our limits.
const CONTINUED_BYTES: usize = 4;

/// What the peer's header blocks refer to.
#[derive(Debug)]
pub(in super::super) struct Decoder {
    table: Table,
    /// The largest table that the peer may choose.
    allowed_bytes: usize,
}

/// A header block cannot be understood, and with it none that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Malformed;

impl Decoder {
    pub(in super::super) fn new(allowed_bytes: usize) -> Self {
        Self { table: Table::new(allowed_bytes), allowed_bytes }
    }

    /// The peer has acknowledged that the table is to be no larger than this.
    pub(in super::super) fn limit(&mut self, allowed_bytes: usize) {
        self.allowed_bytes = allowed_bytes;
        self.table.resize(allowed_bytes);
    }

    /// Hands every field of a block, its name and its value, to `take`.
    pub(in super::super) fn decode(
        &mut self,
        mut block: &[u8],
        mut take: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Malformed> {
        let (mut name, mut value) = (Vec::new(), Vec::new());
        let mut may_resize = true;
        while let Some(first) = block.first() {
            // A 1 in front tells the representations apart (sections 6.1 to 6.3).
            match first.leading_zeros() {
                0 => {
                    let (name, value) = self.field(integer(&mut block, 7)?)?;
                    take(name, value);
                }
                2 if !may_resize => return Err(Malformed),
                2 => {
                    self.resize(integer(&mut block, 5)?)?;
                    continue;
                }
                zeros => {
                    let is_kept = zeros == 1;
                    self.literal(&mut block, if is_kept { 6 } else { 4 }, &mut name, &mut value)?;
                    take(&name, &value);
                    if is_kept {
                        self.table.add(&name, &value);
                    }
                }
            }
            may_resize = false;
        }
        Ok(())
    }

    fn resize(&mut self, bytes: usize) -> Result<(), Malformed> {
        if bytes > self.allowed_bytes {
            return Err(Malformed);
        }
        self.table.resize(bytes);
        Ok(())
    }

    fn literal(
        &self,
        block: &mut &[u8],
        prefix_bits: u32,
        name: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> Result<(), Malformed> {
        match integer(block, prefix_bits)? {
            0 => string(block, name)?,
            number => {
                name.clear();
                name.extend_from_slice(self.field(number)?.0);
            }
        }
        string(block, value)
    }

    fn field(&self, number: usize) -> Result<(&[u8], &[u8]), Malformed> {
        self.table.get(number).ok_or(Malformed)
    }
}

/// Takes an integer (section 5.1).
fn integer(block: &mut &[u8], prefix_bits: u32) -> Result<usize, Malformed> {
    let mask = (1_u8 << prefix_bits) - 1;
    let first = usize::from(byte(block)? & mask);
    if first < usize::from(mask) {
        return Ok(first);
    }
    let mut value = first;
    for place in 0..CONTINUED_BYTES {
        let next = byte(block)?;
        value += usize::from(next & 0x7f) << (7 * place);
        if next & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Malformed)
}

/// Takes a string (section 5.2), which replaces what `into` holds.
fn string(block: &mut &[u8], into: &mut Vec<u8>) -> Result<(), Malformed> {
    let is_coded = block.first().ok_or(Malformed)? & 0x80 != 0;
    let length = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(length).ok_or(Malformed)?;
    *block = rest;
    into.clear();
    if is_coded {
        return huffman::decode(text, into).ok_or(Malformed);
    }
    into.extend_from_slice(text);
    Ok(())
}

fn byte(block: &mut &[u8]) -> Result<u8, Malformed> {
    block.split_off_first().copied().ok_or(Malformed)
}
