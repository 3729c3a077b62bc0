//! The binary's settings as an operator meets them: what is in force, and what is said of mistakes.

#![allow(clippy::expect_used, reason = "tests")]

use std::{
    path::Path,
    process::{Command, Output},
};

/// All that typha must be told, as a file.
const COMPLETE: &str = "etcd-endpoints: [http://127.0.0.1:2379]\ncert-file: typha.crt\nkey-file: typha.key\n\
                        ca-file: ca.crt\nclient-cn: [felix]\n";

/// Runs typha on a file with this text, in an environment of these variables only.
fn typha(text: &str, flags: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("typha.yaml");
    std::fs::write(&file, text).expect("written");
    let output = run(&file, flags, variables);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("text").replace(&format!("{}/", folder.path().display()), "");
    (output.status.code(), text)
}

fn run(file: &Path, flags: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_typha"));
    command.env_clear().envs(variables.iter().copied()).env("TYPHA_CONFIG", file).args(flags);
    command.output().expect("it runs")
}

#[test]
fn what_is_in_force_is_shown_with_its_origin() {
    let variables = [("TYPHA_DRAIN_SECS", "7"), ("ETCD_PASSWORD", "hunter2"), ("TYPHA_STALE_AFTER_SECS", "8")];
    let (code, text) = typha(COMPLETE, &["--show-config", "--stale-after-secs", "9"], &variables);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "etcd-endpoints: [http://127.0.0.1:2379]  # typha.yaml:1\n",
        "stale-after-secs: 9  # command line\n",
        "drain-secs: 7  # environment, TYPHA_DRAIN_SECS\n",
        "listen: 0.0.0.0:5473  # default\n",
        "# etcd-password: set, but secret  # environment, ETCD_PASSWORD\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert!(!text.contains("hunter2"), "{text}");
    let (code, again) = typha(&text, &["--show-config"], &[]);
    assert_eq!(code, Some(0), "what is shown is a file that can be used: {again}");
}

#[test]
fn mistakes_are_refused_with_the_way_out() {
    let with = |line: &str| format!("{COMPLETE}{line}\n");
    for (text, variables, said) in [
        (
            with("drain-seconds: 5"),
            vec![],
            "typha.yaml:6: there is no setting \"drain-seconds\"; did you mean \"drain-secs\"?",
        ),
        (with("drain-secs: soon"), vec![], "typha.yaml:6: invalid value 'soon' for '--drain-secs <SECONDS>'"),
        (with("drain-secs: [1]"), vec![], "typha.yaml:6: drain-secs takes one value, not a list"),
        (with("ca-file: x"), vec![], "typha.yaml:6: \"ca-file\" stands here a second time"),
        (with("\tlisten: x"), vec![], "typha.yaml:6: a tab"),
        (COMPLETE.to_owned(), vec![("TYPHA_LISTN", "x")], "TYPHA_LISTN is no setting; did you mean TYPHA_LISTEN?"),
        (COMPLETE.to_owned(), vec![("TYPHA_LISTEN", "x")], "the environment variable TYPHA_LISTEN: invalid value 'x'"),
        ("listen: 127.0.0.1:1".to_owned(), vec![("TYPHA_ETCD_ENPOINTS", "x")], "did you mean ETCD_ENDPOINTS?"),
        ("client-cn: [a]".to_owned(), vec![], "--etcd-endpoints <URLS>"),
    ] {
        let (code, told) = typha(&text, &["--show-config"], &variables);
        assert_eq!(code, Some(2), "{told}");
        assert!(told.contains(said), "no {said:?} in\n{told}");
    }
    let folder = tempfile::tempdir().expect("a directory");
    let told = String::from_utf8(run(folder.path(), &[], &[]).stderr).expect("text");
    assert!(told.contains("is a directory; name the file in it"), "{told}");
}

#[test]
fn the_variables_of_a_service_called_typha_pass() {
    let variables = [
        ("TYPHA_SERVICE_HOST", "10.96.0.10"),
        ("TYPHA_SERVICE_PORT", "5473"),
        ("TYPHA_PORT", "tcp://10.96.0.10:5473"),
        ("TYPHA_PORT_5473_TCP", "tcp://10.96.0.10:5473"),
        ("TYPHA_PORT_5473_TCP_ADDR", "10.96.0.10"),
        ("CALICO_TYPHA_SERVICE_HOST", "10.96.0.10"),
        ("CALICO_TYPHA_PORT", "tcp://10.96.0.10:5473"),
    ];
    let (code, text) = typha(COMPLETE, &["--show-config"], &variables);
    assert_eq!((code, text.contains("warning")), (Some(0), false), "{text}");
}
