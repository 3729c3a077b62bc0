//! What etcd and the way to it said: in words for people, and told apart where that matters. The only file of the
//! adapter that looks at gRPC.

use std::error::Error;

/// What TLS, the network and etcd say, and what to do about it. The first that fits counts.
const WAYS_OUT: [(&str, &str); 14] = [
    ("certificate: UnknownIssuer", "its certificate was not signed by the CA given: give the CA that signed it"),
    ("certificate: BadSignature", "its certificate was not signed by the CA given: give the CA that signed it"),
    ("certificate: NotValidForName", "its certificate does not name this host: use a name that is in it, or renew it"),
    ("certificate: Expired", "its certificate has expired: renew it"),
    ("certificate: NotValidYet", "its certificate is not valid yet: check the clocks"),
    ("alert: UnknownCA", "it does not accept our client certificate: give one of the CA that it trusts"),
    ("alert: BadCertificate", "it does not accept our client certificate: give one of the CA that it trusts"),
    ("alert: CertificateRequired", "it asks for a client certificate: give certificate and key"),
    ("alert: CertificateExpired", "our client certificate has expired: renew it"),
    ("authentication failed", "check user and password"),
    ("permission denied", "grant the user's role the key range /calico/ to /cattail0"),
    ("InvalidContentType", "it does not speak TLS: write http:// where that is meant"),
    ("frame with invalid size", "it speaks TLS, or is no etcd: write https://, or give etcd's address"),
    ("not implemented", "it is no whole etcd: cattail-store for one knows no users, so leave user and password out"),
];

/// The error with its causes, and the way out where it is known: tonic hides "connection refused" and the like behind "transport error".
pub(super) fn describe(error: &etcd_client::Error) -> String {
    let (mut text, mut cause): (String, Option<&dyn Error>) = match error {
        etcd_client::Error::GRpcStatus(status) if status.message().is_empty() => {
            (status.code().description().to_owned(), status.source())
        }
        etcd_client::Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
        etcd_client::Error::TransportError(transport) => (transport.to_string(), transport.source()),
        other => (other.to_string(), None),
    };
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        cause = error.source();
    }
    if let Some((_, way_out)) = WAYS_OUT.iter().find(|(said, _)| text.contains(said)) {
        text.push_str("; ");
        text.push_str(way_out);
    }
    text
}

/// Whether etcd refused because the revision asked for is gone.
pub(super) fn is_compacted(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status) if status.message().contains("has been compacted"))
}

/// Whether a message was refused for its size or content, on a connection that works.
pub(super) fn is_about_the_message(error: &etcd_client::Error) -> bool {
    let etcd_client::Error::GRpcStatus(status) = error else { return false };
    matches!(status.code(), tonic::Code::OutOfRange | tonic::Code::ResourceExhausted)
}

/// Whether no connection came about, so that the request cannot have had an effect.
pub(super) fn was_never_sent(error: &etcd_client::Error) -> bool {
    let etcd_client::Error::GRpcStatus(status) = error else { return false };
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};

    use super::*;

    #[test]
    fn an_error_without_words_is_told_by_its_code_and_with_the_way_out() {
        let said = describe(&etcd_client::Error::GRpcStatus(Status::new(Code::Unimplemented, "")));
        assert!(said.contains("not implemented") && said.contains("leave user and password out"), "{said}");
    }
}
