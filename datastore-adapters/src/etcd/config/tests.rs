//! What is wrong in a configuration is named.

use std::fs;

use super::*;

fn config(endpoint: &str) -> EtcdConfig {
    EtcdConfig { endpoints: vec![endpoint.to_owned()], ..EtcdConfig::default() }
}

#[test]
fn endpoints_are_urls() {
    assert!(matches!(EtcdConfig::default().check(), Err(ConfigError::NoEndpoints)));
    for wrong in ["", "127.0.0.1:2379", "http://", "unix:///x", "http://a:1,http://b:2", "http://a b"] {
        assert!(matches!(config(wrong).check(), Err(ConfigError::Endpoint(of)) if of == wrong), "{wrong:?}");
    }
    for right in ["http://127.0.0.1:2379", "https://etcd.example:2379", "http://[::1]:2379"] {
        config(right).check().unwrap_or_else(|error| panic!("{right}: {error}"));
    }
}

#[test]
fn files_are_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (missing, empty, pem) = ["missing", "empty", "pem"].map(|name| directory.path().join(name)).into();
    fs::write(&empty, "").expect("a file");
    fs::write(&pem, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n").expect("a file");

    let https = config("https://etcd.example:2379");
    let with = |ca: &PathBuf| EtcdConfig { ca_file: Some(ca.clone()), ..https.clone() }.check();
    assert!(matches!(with(&missing), Err(ConfigError::File(file, _)) if file == missing));
    assert!(matches!(with(&empty), Err(ConfigError::Pem(file, "CERTIFICATE")) if file == empty));
    with(&pem).expect("a PEM file");

    let half = EtcdConfig { cert_file: Some(pem.clone()), ..https.clone() }.check();
    assert!(matches!(half, Err(ConfigError::HalfIdentity(file)) if file == pem));
    let mixed_up = EtcdConfig { cert_file: Some(pem.clone()), key_file: Some(pem.clone()), ..https }.check();
    assert!(matches!(mixed_up, Err(ConfigError::Pem(_, "PRIVATE KEY"))));
    let plain = EtcdConfig { ca_file: Some(pem), ..config("http://etcd.example:2379") }.check();
    assert!(matches!(plain, Err(ConfigError::TlsWithoutHttps(of)) if of == "http://etcd.example:2379"));
}

#[test]
fn a_user_has_a_password() {
    let half = EtcdConfig { username: Some("typha".into()), ..config("http://a:1") };
    assert!(matches!(half.check(), Err(ConfigError::HalfUser)));
}
