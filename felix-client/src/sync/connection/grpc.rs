//! gRPC over HTTP/2 as far as a client of two methods needs it: request headers, response status.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http2::SendRequest};

use super::{super::frame, Disconnect};

const SERVICE: &str = "/cattail.sync.v1.Sync";

/// A message from a server is for a log line.
const MAX_STATUS_MESSAGE_CHARS: usize = 500;

const ACCEPT_ENCODING: &str = "grpc-accept-encoding";
const ENCODING: &str = "grpc-encoding";
const ZSTD: &str = "zstd";

/// What to call, and how the answer may come.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) method: &'static str,
    /// Whether the answer's messages may be compressed with zstd.
    pub(super) takes_zstd: bool,
}

/// Makes a call and returns the response's body and whether its messages may be compressed with zstd, once its headers
/// say that it is gRPC's.
pub(super) async fn call(
    requests: &mut SendRequest<Full<Bytes>>,
    address: &Arc<str>,
    call: Call,
    message: &impl prost::Message,
) -> Result<(Incoming, bool), Disconnect> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("https://{address}{SERVICE}/{}", call.method))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers");
    if call.takes_zstd {
        request = request.header(ACCEPT_ENCODING, ZSTD);
    }
    let request =
        request.body(Full::new(frame::encode(message))).map_err(|error| Disconnect::broken(address, &error))?;
    requests.ready().await.map_err(|error| Disconnect::broken(address, &error))?;
    let response = requests.send_request(request).await.map_err(|error| Disconnect::broken(address, &error))?;
    check(address, response.status(), response.headers())?;
    let is_zstd = call.takes_zstd && response.headers().get(ENCODING).is_some_and(|encoding| encoding == ZSTD);
    Ok((response.into_body(), is_zstd))
}

fn check(address: &Arc<str>, status: StatusCode, headers: &HeaderMap) -> Result<(), Disconnect> {
    let content_type = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    if status != StatusCode::OK || !content_type.starts_with(b"application/grpc") {
        let content_type = String::from_utf8_lossy(content_type);
        let reason = format!("it answered {status} with content type {content_type:?}");
        return Err(Disconnect::NotTypha { address: Arc::clone(address), reason });
    }
    // A call that is refused at once has its status among the headers.
    refusal(address, headers).map_or(Ok(()), Err)
}

/// The error that headers or trailers report; `None` where there is none.
pub(super) fn refusal(address: &Arc<str>, headers: &HeaderMap) -> Option<Disconnect> {
    let code = headers.get("grpc-status")?.to_str().ok().and_then(|text| text.parse().ok()).unwrap_or(UNKNOWN);
    if code == OK {
        return None;
    }
    let message = headers.get("grpc-message").map(|text| percent_decoded(text.as_bytes())).unwrap_or_default();
    Some(Disconnect::Refused { address: Arc::clone(address), code, message })
}

const OK: i32 = 0;
const UNKNOWN: i32 = 2;

/// gRPC percent-encodes messages. What is not printable is left out: it goes into logs.
fn percent_decoded(text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = tail
            .first_chunk::<2>()
            .filter(|_| byte == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        rest = if escaped.is_some() { &tail[2..] } else { tail };
        bytes.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(MAX_STATUS_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_messages_are_decoded_and_tamed() {
        assert_eq!(percent_decoded(b"no%20more%2"), "no more%2");
        assert_eq!(percent_decoded(b"%zz%0a%C3%BC"), "%zz\u{fc}");
    }

    #[test]
    fn a_status_that_is_no_number_is_an_error() {
        let mut headers = HeaderMap::new();
        assert!(refusal(&"a:1".into(), &headers).is_none());
        headers.insert("grpc-status", "0".parse().unwrap());
        assert!(refusal(&"a:1".into(), &headers).is_none());
        headers.insert("grpc-status", "x".parse().unwrap());
        assert!(matches!(refusal(&"a:1".into(), &headers), Some(Disconnect::Refused { code: UNKNOWN, .. })));
    }
}
