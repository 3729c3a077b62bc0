//! From header fields to a request, as RFC 9113 section 8.3 wants them; what breaks those rules is no request.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE},
};

use super::{hpack::FIELD_OVERHEAD_BYTES, limits::HEADER_LIST_BYTES};

/// What forbids a field because HTTP/2 has other ways for it (section 8.2.2), beside those that have constants.
const KEEP_ALIVE: &str = "keep-alive";
const PROXY_CONNECTION: &str = "proxy-connection";

/// The fields of one header block, as far as they came.
#[derive(Debug, Default)]
pub(super) struct Fields {
    method: Option<Method>,
    scheme: Option<()>,
    authority: Option<()>,
    path: Option<Uri>,
    headers: HeaderMap,
    /// As they are counted (RFC 9113 section 6.5.2).
    bytes: usize,
    has_regular: bool,
    has_pseudo: bool,
    is_malformed: bool,
}

/// Why fields are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// They are longer than we bear.
    TooLong,
    /// They break a rule.
    Malformed,
}

impl Fields {
    /// Takes the next field. What is too much is not kept.
    pub(super) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.bytes += name.len() + value.len() + FIELD_OVERHEAD_BYTES;
        if self.bytes <= HEADER_LIST_BYTES && !self.is_malformed {
            self.is_malformed = self.take(name, value).is_none();
        }
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let Some(pseudo) = name.strip_prefix(b":") else { return self.regular(name, value) };
        if self.has_regular {
            return None;
        }
        self.has_pseudo = true;
        let is_repeated = match pseudo {
            b"method" => self.method.replace(Method::from_bytes(value).ok()?).is_some(),
            b"scheme" => self.scheme.replace(()).is_some(),
            b"authority" => self.authority.replace(()).is_some(),
            b"path" => self.path.replace(Uri::try_from(value).ok()?).is_some(),
            _ => true,
        };
        (!is_repeated).then_some(())
    }

    fn regular(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        self.has_regular = true;
        let name = HeaderName::from_lowercase(name).ok()?;
        let is_forbidden = match name {
            CONNECTION | TRANSFER_ENCODING | UPGRADE => true,
            TE => value != b"trailers",
            ref other => [KEEP_ALIVE, PROXY_CONNECTION].contains(&other.as_str()),
        };
        if is_forbidden {
            return None;
        }
        self.headers.append(name, HeaderValue::from_bytes(value).ok()?);
        Some(())
    }

    /// The request that these fields are.
    pub(super) fn into_request(self) -> Result<Request<()>, Flaw> {
        if self.bytes > HEADER_LIST_BYTES {
            return Err(Flaw::TooLong);
        }
        let (Some(method), Some(()), Some(path)) = (self.method, self.scheme, self.path) else {
            return Err(Flaw::Malformed);
        };
        if self.is_malformed {
            return Err(Flaw::Malformed);
        }
        let mut request = Request::new(());
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, path, self.headers);
        Ok(request)
    }

    /// Whether these fields may stand at the end of a request (section 8.1).
    pub(super) fn are_trailers(&self) -> bool {
        !self.is_malformed && !self.has_pseudo && self.bytes <= HEADER_LIST_BYTES
    }
}

/// The length that a request announces for its content; an error where it is no number, or more than one.
pub(super) fn announced_bytes(headers: &HeaderMap) -> Result<Option<u64>, Flaw> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Flaw::Malformed);
    }
    let number = |value: &HeaderValue| value.to_str().ok()?.parse().ok();
    first.map(|value| number(value).ok_or(Flaw::Malformed)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] =
        [(":method", "POST"), (":scheme", "https"), (":path", "/a/b"), (":authority", "typha:5473")];

    fn request(fields: &[(&str, &str)]) -> Result<Request<()>, Flaw> {
        let mut all = Fields::default();
        for (name, value) in fields {
            all.add(name.as_bytes(), value.as_bytes());
        }
        all.into_request()
    }

    fn with(field: (&str, &str)) -> Result<Request<()>, Flaw> {
        request(&[&GOOD[..], &[field]].concat())
    }

    #[test]
    fn a_proper_request_is_read() {
        let request = with(("te", "trailers")).unwrap();
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/a/b"));
        assert_eq!(request.headers()[TE], "trailers");
    }

    #[test]
    fn what_breaks_the_rules_is_no_request() {
        for missing in 0..3 {
            let mut fields = GOOD.to_vec();
            fields.remove(missing);
            assert_eq!(request(&fields).err(), Some(Flaw::Malformed), "{fields:?}");
        }
        for field in [
            ("Upper", "case"),
            ("connection", "close"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            (":method", "POST"),
            (":status", "200"),
            (":protocol", "websocket"),
            ("bad name", "x"),
            ("name", "a\nb"),
        ] {
            assert_eq!(with(field).err(), Some(Flaw::Malformed), "{field:?}");
        }
        let late = [&GOOD[..3], &[("a", "b"), GOOD[3]]].concat();
        assert_eq!(request(&late).err(), Some(Flaw::Malformed), "a pseudo-header after a header");
        let mut empty = GOOD;
        empty[2].1 = "";
        assert_eq!(request(&empty).err(), Some(Flaw::Malformed), "an empty path");
        assert_eq!(with(("long", &"x".repeat(HEADER_LIST_BYTES))).err(), Some(Flaw::TooLong));
    }

    #[test]
    fn the_announced_length_is_one_number() {
        let announced = |values: &[&'static str]| {
            announced_bytes(&values.iter().map(|value| (CONTENT_LENGTH, HeaderValue::from_static(value))).collect())
        };
        assert_eq!(announced(&[]), Ok(None));
        assert_eq!(announced(&["12"]), Ok(Some(12)));
        assert_eq!(announced(&["-1"]), Err(Flaw::Malformed));
        assert_eq!(announced(&["1", "1"]), Err(Flaw::Malformed));
    }
}
