//! Why a handshake failed, in words that say at which end to look.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// Puts a handshake's error into words. tokio-rustls hands rustls' errors out inside `io::Error`; others are printed
/// as they are.
pub fn explain(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => explain_tls(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "the peer hung up during the TLS handshake".to_owned(),
        None => error.to_string(),
    }
}

fn explain_tls(error: &Error) -> String {
    match error {
        Error::NoCertificatesPresented => "the peer showed no certificate".to_owned(),
        Error::InvalidCertificate(error) => explain_certificate(error),
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the peer speaks no version of TLS that we do; see --tls-min-version".to_owned(),
        Error::InvalidMessage(_) => format!("the peer does not speak TLS ({error})"),
        error => error.to_string(),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Other(ours) => ours.to_string(),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the peer's certificate is not signed by our CA".to_owned()
        }
        error => format!("the peer's certificate is refused: {error}"),
    }
}

fn explain_alert(alert: AlertDescription) -> String {
    let reason = match alert {
        AlertDescription::ProtocolVersion => {
            return "the peer speaks no version of TLS that we do; see its --tls-min-version".to_owned();
        }
        AlertDescription::CertificateRequired => "it wants a certificate and we showed none",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::UnknownCA | AlertDescription::DecryptError => "our certificate is not signed by its CA",
        AlertDescription::CertificateUnknown | AlertDescription::AccessDenied => {
            "it does not admit the name in our certificate"
        }
        alert => return format!("the peer refuses the connection (TLS alert {alert:?})"),
    };
    format!("the peer refuses our certificate: {reason} (TLS alert {alert:?})")
}
