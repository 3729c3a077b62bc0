//! Reads netlink messages and attributes. Whatever is cut short ends the iteration; nothing here can panic.

use super::message::HEADER_LEN;

/// The bits of an attribute's type that are its number.
const TYPE_MASK: u16 = 0x3fff;

/// One received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// What follows `nlmsghdr`.
    pub(crate) payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The messages of one datagram.
    pub(crate) fn all(datagram: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = datagram;
        std::iter::from_fn(move || {
            let length = u32_at(rest, 0)? as usize;
            let payload = rest.get(HEADER_LEN..length)?;
            let message = Self { kind: u16_at(rest, 4)?, flags: u16_at(rest, 6)?, sequence: u32_at(rest, 8)?, payload };
            rest = rest.get(align(length)..).unwrap_or_default();
            Some(message)
        })
    }

    /// The attributes behind a fixed structure of `header_len` bytes.
    pub(crate) fn attributes(&self, header_len: usize) -> Attributes<'a> {
        Attributes(self.payload.get(align(header_len)..).unwrap_or_default())
    }
}

/// Attributes, one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// The value of the first attribute of a type.
    pub(crate) fn find(&self, kind: u16) -> Option<&'a [u8]> {
        let mut attributes = self.clone();
        Iterator::find_map(&mut attributes, |(found, value)| (found == kind).then_some(value))
    }

    /// The attributes within the first attribute of a type; none where it is missing.
    pub(crate) fn nested(&self, kind: u16) -> Attributes<'a> {
        Attributes(self.find(kind).unwrap_or_default())
    }

    /// A text, without the zero at its end.
    pub(crate) fn text(&self, kind: u16) -> Option<&'a str> {
        cstring(self.find(kind)?)
    }

    /// A number in netfilter's order of bytes.
    pub(crate) fn be32(&self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.find(kind)?.get(..4)?.try_into().ok()?))
    }

    /// A number in rtnetlink's order of bytes.
    pub(crate) fn ne32(&self, kind: u16) -> Option<u32> {
        u32_at(self.find(kind)?, 0)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & TYPE_MASK;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Text up to the first zero; `None` where it is not UTF-8.
pub(crate) fn cstring(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).ok()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

const fn align(length: usize) -> usize {
    (length + 3) & !3
}
