//! In which form messages travel, as gRPC over HTTP/2 lets the two ends agree on it: the client names what it takes in
//! `grpc-accept-encoding`, the response names what is used in `grpc-encoding`, and each message says by its flag
//! whether it was worth it.

use http::{HeaderMap, HeaderName, HeaderValue};

const ACCEPT: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const USED: HeaderName = HeaderName::from_static("grpc-encoding");
const ZSTD: &str = "zstd";

/// The form of a stream's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    #[default]
    Identity,
    /// Compressed with zstd (RFC 8878), one frame per message that states its length.
    Zstd,
}

impl Encoding {
    /// The best that a client takes.
    pub(crate) fn accepted(request: &HeaderMap) -> Self {
        let mut offers = request.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let takes_zstd = offers.any(|offer| offer.split(',').any(|name| name.trim() == ZSTD));
        if takes_zstd { Self::Zstd } else { Self::Identity }
    }

    /// Names it in a response. Identity goes without saying.
    pub(crate) fn announce(self, response: &mut HeaderMap) {
        if self == Self::Zstd {
            response.insert(USED, HeaderValue::from_static(ZSTD));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(offers: &[&'static str]) -> Encoding {
        let offers = offers.iter().map(|offer| (ACCEPT, HeaderValue::from_static(offer)));
        Encoding::accepted(&offers.collect())
    }

    #[test]
    fn only_who_asks_for_it_gets_it() {
        assert_eq!(accepted(&[]), Encoding::Identity);
        assert_eq!(accepted(&["identity,gzip"]), Encoding::Identity);
        assert_eq!(accepted(&["zstdx"]), Encoding::Identity);
        assert_eq!(accepted(&["zstd"]), Encoding::Zstd);
        assert_eq!(accepted(&["identity, deflate ,zstd"]), Encoding::Zstd);
        assert_eq!(accepted(&["gzip", "zstd"]), Encoding::Zstd);
    }
}
