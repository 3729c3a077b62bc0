//! Writes netlink messages and their attributes, one after the other, into one buffer.

/// Length of `struct nlmsghdr`.
pub(super) const HEADER_LEN: usize = 16;
/// Messages and attributes begin at multiples of this.
const ALIGNMENT: usize = 4;
/// Marks an attribute that contains attributes.
const NESTED: u16 = 0x8000;

/// A buffer of messages. Sequence numbers count up from the one given at creation, so that an answer can be led back
/// to the message that caused it.
pub(crate) struct MessageWriter {
    bytes: Vec<u8>,
    /// Where the message being written begins.
    message_start: usize,
    first_sequence: u32,
    next_sequence: u32,
}

impl MessageWriter {
    pub(crate) fn new(first_sequence: u32) -> Self {
        Self { bytes: Vec::new(), message_start: 0, first_sequence, next_sequence: first_sequence }
    }

    /// Writes one message: `header` is the fixed structure behind `nlmsghdr`, `body` writes the attributes.
    pub(crate) fn message(&mut self, kind: u16, flags: u16, header: &[u8], body: impl FnOnce(&mut Self)) {
        self.message_start = self.bytes.len();
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&flags.to_ne_bytes());
        self.bytes.extend_from_slice(&self.next_sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&0_u32.to_ne_bytes());
        self.bytes.extend_from_slice(header);
        self.align();
        body(self);
        let length = (self.bytes.len() - self.message_start) as u32;
        self.bytes[self.message_start..self.message_start + 4].copy_from_slice(&length.to_ne_bytes());
        self.next_sequence = self.next_sequence.wrapping_add(1);
    }

    /// Writes an attribute. `value` is below 64 KiB: the length field is 16 bits wide.
    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) {
        debug_assert!(u16::try_from(value.len() + 4).is_ok(), "attribute {kind} is too long");
        self.bytes.extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.align();
    }

    /// Writes an attribute that contains what `body` writes; below 64 KiB in all.
    pub(crate) fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes(kind | NESTED, &[]);
        body(self);
        let length = self.bytes.len() - start;
        debug_assert!(u16::try_from(length).is_ok(), "attribute {kind} is too long");
        self.bytes[start..start + 2].copy_from_slice(&(length as u16).to_ne_bytes());
    }

    /// Writes a text as the kernel wants it, with a zero at its end.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
        self.bytes(kind, &bytes);
    }

    /// Writes a number in the order of bytes that netfilter uses.
    pub(crate) fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// Writes a number in the order of bytes that rtnetlink uses.
    pub(crate) fn ne32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// All messages so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many messages there are.
    pub(crate) fn count(&self) -> usize {
        self.next_sequence.wrapping_sub(self.first_sequence) as usize
    }

    /// Which message (0 is the first) has this sequence number.
    pub(crate) fn index_of(&self, sequence: u32) -> usize {
        sequence.wrapping_sub(self.first_sequence) as usize
    }

    /// The sequence number that a next message would get.
    pub(crate) fn next_sequence(&self) -> u32 {
        self.next_sequence
    }

    fn align(&mut self) {
        while !self.bytes.len().is_multiple_of(ALIGNMENT) {
            self.bytes.push(0);
        }
    }
}
