//! The program itself against the embedded datastore: flags, files, standard input, exit status.
#![expect(clippy::expect_used, reason = "a test ends where its ground gives way")]

use std::{
    io::Write as _,
    path::Path,
    process::{Command, ExitStatus, Output, Stdio},
};

use datastore_adapters::embedded::{self, Engine};
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};

/// A datastore of its own, ended with the test.
struct Datastore {
    runtime: Runtime,
    endpoint: String,
    server: Option<Server>,
    directory: tempfile::TempDir,
}

/// Ends when its sender is dropped.
type Server = (oneshot::Sender<()>, JoinHandle<Result<(), embedded::ServeError>>);

impl Datastore {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let engine = Engine::open(directory.path().join("store.redb")).expect("a store");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        let server = runtime.spawn(async move {
            embedded::serve(engine, listener, async {
                // Dropped without a word when the test panics, which ends it as well.
                let _ = stopped.await;
            })
            .await
        });
        Self { runtime, endpoint, server: Some((stop, server)), directory }
    }

    fn stop(&mut self) {
        let (stop, server) = self.server.take().expect("stopped once");
        drop(stop);
        self.runtime.block_on(server).expect("no panic").expect("a clean end");
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cattailctl"))
            .args(arguments)
            .env("ETCD_ENDPOINTS", &self.endpoint)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    }

    #[track_caller]
    fn assert_run(&self, arguments: &[&str], stdin: &str, expected: (i32, &str, &str)) {
        let output = self.run(arguments, stdin);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), &*out, &*err), (Some(expected.0), expected.1, expected.2), "{arguments:?}");
    }
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n";
const POLICY: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
  namespace: shop
spec:
  podSelector: {}
  ingress:
  - from:
    - ipBlock:
        cidr: 10.0.0.0/8
        except:
        - 10.1.0.0/16
";

#[test]
fn a_resource_lives_from_apply_to_delete() {
    let store = Datastore::start();
    let directory = store.path().join("manifests/more");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(directory.join("policy.yaml"), POLICY).expect("a file");
    std::fs::write(store.path().join("manifests/z.yml"), NAMESPACE).expect("a file");

    let output = store.run(&["apply", "-f", "manifests"], "");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("Namespace/shop created at revision "), "{lines:?}");
    assert!(lines[1].starts_with("KubernetesNetworkPolicy/shop/web created at revision "), "{lines:?}");

    store.assert_run(&["get", "netpol", "-n", "shop", "-o", "name"], "", (0, "kubernetesnetworkpolicy/web\n", ""));
    let yaml =
        String::from_utf8(store.run(&["get", "netpol/web", "-n", "shop", "-o", "yaml"], "").stdout).expect("text");
    let wider = yaml.replace("10.0.0.0/8", "10.0.0.0/7");
    let replaced = store.run(&["replace", "-f", "-"], &wider);
    assert_eq!(replaced.status.code(), Some(0), "{replaced:?}");
    let conflict = store.run(&["replace", "-f", "-"], &yaml);
    assert_eq!(conflict.status.code(), Some(1));
    let told = String::from_utf8_lossy(&conflict.stderr).into_owned();
    assert!(told.contains("KubernetesNetworkPolicy/shop/web was changed by somebody else"), "{told}");

    store.assert_run(
        &["delete", "-f", "manifests"],
        "",
        (0, "KubernetesNetworkPolicy/shop/web deleted\nNamespace/shop deleted\n", ""),
    );
    store.assert_run(&["get", "ns"], "", (0, "", "no ns\n"));
}

#[test]
fn a_bad_document_is_rejected_alone() {
    let store = Datastore::start();
    std::fs::write(store.path().join("bad.yaml"), POLICY.replace("10.1.0.0/16", "10.1.0.0")).expect("a file");
    let output = store.run(&["apply", "-f", "bad.yaml", "-f", "-"], NAMESPACE);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("Namespace/shop created"));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: bad.yaml:13: KubernetesNetworkPolicy/shop/web: spec.ingress[0].from[0].ipBlock.except[0]: \
         \"10.1.0.0\" is not a CIDR; want an address with a prefix length, such as 10.0.0.0/24 or fd00::/64\n\
         1 of 2 rejected; the other one is written\n"
    );
}

#[test]
fn a_datastore_that_is_down_is_named() {
    let mut store = Datastore::start();
    store.stop();
    for arguments in [&["get", "tiers"][..], &["apply", "-f", "-"]] {
        let output = store.run(arguments, NAMESPACE);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.starts_with("cattailctl: ") && told.contains(&store.endpoint), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn settings_that_cannot_be_shown_are_an_error_and_a_closed_pipe_is_none() {
    let show = |stdout: Stdio| -> (ExitStatus, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cattailctl"));
        let output = command.args(["get", "tiers", "--show-config"]).stdout(stdout).stderr(Stdio::piped()).spawn();
        let output = output.and_then(std::process::Child::wait_with_output).expect("it runs");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let (status, told) = show(full.into());
    let error = "error: cannot write the settings to standard output: No space left on device (os error 28)\n";
    assert_eq!((status.code(), told.as_str()), (Some(1), error));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let (status, told) = show(writer.into());
    assert_eq!((status.code(), told.as_str()), (Some(0), ""));
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    let store = Datastore::start();
    for arguments in [&["aply"][..], &["apply"], &["get", "tiers", "-o", "xml"]] {
        assert_eq!(store.run(arguments, "").status.code(), Some(2), "{arguments:?}");
    }
}
