//! The two tables that header fields may be named by (RFC 7541 section 2.3).

use std::collections::VecDeque;

/// Appendix A. Numbers begin with 1.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// What a field counts for beside its text (RFC 7541 section 4.1).
pub(in super::super) const FIELD_OVERHEAD_BYTES: usize = 32;

/// What the peer's fields are named by.
#[derive(Debug)]
pub(super) struct Table {
    /// The dynamic part, newest first.
    fields: VecDeque<Field>,
    /// What `fields` count for.
    bytes: usize,
    /// What they may count for, as the peer chose it within what it was allowed.
    max_bytes: usize,
}

#[derive(Debug)]
struct Field {
    /// Name and value in one allocation.
    text: Box<[u8]>,
    name_bytes: usize,
}

impl Table {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { fields: VecDeque::new(), bytes: 0, max_bytes }
    }

    /// Name and value of a number.
    pub(super) fn get(&self, number: usize) -> Option<(&[u8], &[u8])> {
        let place = number.checked_sub(1)?;
        if let Some((name, value)) = STATIC.get(place) {
            return Some((name.as_bytes(), value.as_bytes()));
        }
        let field = self.fields.get(place - STATIC.len())?;
        Some(field.text.split_at(field.name_bytes))
    }

    /// Makes a field the newest. One that is larger than the table empties it, and is no error (section 4.4).
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        let bytes = name.len() + value.len() + FIELD_OVERHEAD_BYTES;
        self.shrink(self.max_bytes.saturating_sub(bytes));
        if bytes <= self.max_bytes {
            self.fields.push_front(Field { text: [name, value].concat().into(), name_bytes: name.len() });
            self.bytes += bytes;
        }
    }

    /// Changes what the fields may count for.
    pub(super) fn resize(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
        self.shrink(max_bytes);
        if self.fields.is_empty() {
            // Gives its memory back.
            self.fields = VecDeque::new();
        }
    }

    fn shrink(&mut self, to_bytes: usize) {
        while self.bytes > to_bytes
            && let Some(field) = self.fields.pop_back()
        {
            self.bytes -= field.text.len() + FIELD_OVERHEAD_BYTES;
        }
    }
}
