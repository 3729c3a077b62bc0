//! What a user types, and what they read.

mod memory_store;

use clap::Parser;

use self::memory_store::MemoryStore;
use crate::{
    arguments::{AnyCommand, Arguments},
    command,
    console::Console,
};

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    succeeded: bool,
    out: String,
    err: String,
}

/// Runs a command line; `-` reads `stdin`.
fn cattailctl(store: &MemoryStore, line: &str, stdin: &str) -> Told {
    try_cattailctl(store, line, stdin).unwrap_or_else(|error| panic!("{line}: {error:#}"))
}

fn try_cattailctl(store: &MemoryStore, line: &str, stdin: &str) -> anyhow::Result<Told> {
    let arguments = Arguments::try_parse_from(["cattailctl"].into_iter().chain(line.split(' ')))?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let AnyCommand::Resources(command) = &arguments.command else { panic!("not about resources: {arguments:?}") };
    let succeeded =
        runtime.block_on(command::run(command, store, &mut stdin.as_bytes(), &mut Console::new(&mut out, &mut err)))?;
    Ok(Told { succeeded, out: String::from_utf8(out)?, err: String::from_utf8(err)? })
}

#[test]
fn what_nobody_reads_is_done_all_the_same() {
    let store = MemoryStore::default();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let text = format!("{TIER}---\n{POLICY}");
    let line = ["cattailctl", "apply", "-f", "-"];
    let arguments = Arguments::try_parse_from(line).expect("right");
    let AnyCommand::Resources(command) = &arguments.command else { panic!("not about resources: {arguments:?}") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut console = Console::new(&writer, Vec::new());
    let done = runtime.block_on(command::run(command, &store, &mut text.as_bytes(), &mut console));
    assert!(done.expect("nothing went wrong"));
    let told = cattailctl(&store, "apply -f -", &text);
    assert!(told.out.lines().count() == 2 && told.out.lines().all(|line| line.contains("unchanged")), "{told:?}");
}

#[track_caller]
fn assert_done(told: &Told, out: &str) {
    assert_eq!((told.out.as_str(), told.err.as_str(), told.succeeded), (out, "", true));
}

const TIER: &str = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: security}\nspec: {order: 100}\n";
const POLICY: &str = "\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  tier: security
  selector: app == 'web'
  someday: {kept: [1, 2]}
  ingress:
  - action: Allow
";

fn stored() -> MemoryStore {
    let store = MemoryStore::default();
    let text = format!("{TIER}---\n{POLICY}");
    let told = cattailctl(&store, "apply -f -", &text);
    assert_done(&told, "Tier/security created at revision 1\nNetworkPolicy/shop/web created at revision 2\n");
    store
}

#[test]
fn apply_writes_what_others_refer_to_first() {
    let store = MemoryStore::default();
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}";
    let told = cattailctl(&store, "apply -f -", &format!("{POLICY}---\n{TIER}---\n{namespace}"));
    assert_done(
        &told,
        "Namespace/shop created at revision 1\nTier/security created at revision 2\n\
         NetworkPolicy/shop/web created at revision 3\n",
    );
}

#[test]
fn apply_keeps_identity_and_unknown_fields_and_writes_only_changes() {
    let store = stored();
    let before = store.value("NetworkPolicy/shop/web");
    assert_eq!(before["spec"]["someday"], serde_json::json!({"kept": [1, 2]}));
    assert_eq!(before["spec"]["types"], serde_json::json!(["Ingress"]));
    assert_eq!(before["metadata"]["labels"]["projectcalico.org/tier"], "security");
    assert_done(&cattailctl(&store, "apply -f -", POLICY), "NetworkPolicy/shop/web unchanged since revision 2\n");
    store.race(1);
    assert_done(
        &cattailctl(&store, "apply -f -", &POLICY.replace("app == 'web'", "all()")),
        "NetworkPolicy/shop/web updated at revision 4\n",
    );
    let after = store.value("NetworkPolicy/shop/web");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["spec"]["someday"], before["spec"]["someday"]);
    assert_eq!(after["spec"]["selector"], "all()");
}

#[test]
fn bad_documents_are_rejected_alone_with_line_and_field() {
    let store = MemoryStore::default();
    let bad = POLICY.replace("action: Allow", "action: Alow\n    source:\n      nets: [10.0.0.0/8, 10.0.0.0/33]");
    let slip = POLICY.replace("selector:", "selectr:").replace("tier: security", "tier: missing");
    let broken = "a: 'b\n";
    let unknown = "apiVersion: v1\nkind: Servce\n";
    let text = [TIER, &bad, broken, &slip, unknown].join("---\n");
    let told = cattailctl(&store, "apply -f -", &text);
    assert!(!told.succeeded);
    assert_eq!(told.out, "Tier/security created at revision 1\n");
    assert_eq!(
        told.err,
        "error: standard input:14: NetworkPolicy/shop/web: spec.ingress[0].action: \"Alow\" is not one of Allow, Deny, \
         Log, Pass\n\
         error: standard input:16: NetworkPolicy/shop/web: spec.ingress[0].source.nets[1]: \"10.0.0.0/33\" is neither \
         an address nor a CIDR such as 10.0.0.0/24\n\
         error: standard input:18: is not YAML or JSON: unclosed quote\n\
         warning: standard input:25: NetworkPolicy/shop/web: spec.selectr: is no field known here and is not used; \
         did you mean selector?\n\
         error: standard input:31: kind: \"Servce\" is not a known kind; want one of ClusterInformation, \
         FelixConfiguration, GlobalNetworkPolicy, GlobalNetworkSet, HostEndpoint, IPPool, Namespace, NetworkPolicy, \
         NetworkSet, Node, Pod, Profile, ServiceAccount, Tier, WorkloadEndpoint\n\
         error: standard input:24: NetworkPolicy/shop/web: spec.tier: tier \"missing\" does not exist; apply it first\n\
         4 of 5 rejected; the other one is written\n"
    );
    assert_eq!(store.keys(), ["Tier/security"]);
}

#[test]
fn what_is_written_beside_what_is_rejected_is_counted() {
    let store = MemoryStore::default();
    let last = |line: &str, stdin: &str| {
        let told = cattailctl(&store, line, stdin);
        assert!(!told.succeeded);
        told.err.lines().last().map(str::to_owned)
    };
    assert_eq!(last("apply -f /nowhere/missing.yaml", "").as_deref(), Some("nothing was written"));
    assert_eq!(last("apply -f -", "kind: Servce\n").as_deref(), Some("nothing was written"));
    assert!(store.keys().is_empty());
    let text = [TIER, &TIER.replace("security", "other"), "kind: Servce\n"].join("---\n");
    assert_eq!(last("apply -f -", &text).as_deref(), Some("1 of 3 rejected; the other 2 are written"));
}

#[test]
fn documents_of_one_resource_are_written_in_their_order() {
    let store = MemoryStore::default();
    let told = cattailctl(&store, "apply -f -", &[TIER, &TIER.replace("100", "50"), TIER].join("---\n"));
    assert_done(
        &told,
        "Tier/security created at revision 1\nTier/security updated at revision 2\nTier/security updated at revision \
         3\n",
    );
    assert_eq!(store.value("Tier/security")["spec"]["order"], 100);
}

#[test]
fn nothing_to_do_is_a_failure() {
    let told = cattailctl(&MemoryStore::default(), "apply -f -", "# nothing\n");
    assert_eq!((told.succeeded, told.err.as_str()), (false, "nothing to do: there is no document in what was given\n"));
}

#[test]
fn create_wants_new_and_replace_wants_old() {
    let store = stored();
    let told = cattailctl(&store, "create -f -", TIER);
    assert_eq!(
        told.err.lines().next(),
        Some("error: standard input:1: Tier/security exists already; use apply or replace to change it")
    );
    let other = TIER.replace("security", "other");
    let told = cattailctl(&store, "replace -f -", &other);
    assert_eq!(
        told.err.lines().next(),
        Some("error: standard input:1: Tier/other does not exist; use apply or create to make it")
    );
    assert_done(&cattailctl(&store, "create -f -", &other), "Tier/other created at revision 3\n");
    store.race(2);
    assert_done(
        &cattailctl(&store, "replace -f -", &TIER.replace("100", "50")),
        "Tier/security updated at revision 6\n",
    );
}

#[test]
fn a_resource_version_makes_a_write_conditional() {
    let store = stored();
    let read = cattailctl(&store, "get tier security -o yaml", "").out;
    assert!(read.contains("resourceVersion: \"1\""), "{read}");
    assert_done(
        &cattailctl(&store, "replace -f -", &read.replace("100", "200")),
        "Tier/security updated at revision 3\n",
    );
    for verb in ["replace", "apply"] {
        let told = cattailctl(&store, &format!("{verb} -f -"), &read.replace("100", "300"));
        assert_eq!(
            told.err.lines().next(),
            Some(
                "error: standard input:1: Tier/security was changed by somebody else: it is at revision 3, not 1; get \
                 it again and redo the change, or leave out metadata.resourceVersion to overwrite"
            )
        );
    }
    assert_eq!(store.value("Tier/security")["spec"]["order"], 200);
    assert_eq!(store.value("Tier/security")["metadata"].get("resourceVersion"), None);
    let told = cattailctl(&store, "replace -f -", &read.replace("\"1\"", "one"));
    assert!(told.err.contains("metadata.resourceVersion: \"one\" is not a revision"), "{}", told.err);
}

#[test]
fn pools_do_not_overlap_and_do_not_change() {
    let store = MemoryStore::default();
    let pool = |name: &str, cidr: &str| {
        format!(
            "{{apiVersion: projectcalico.org/v3, kind: IPPool, metadata: {{name: {name}}}, spec: {{cidr: {cidr}}}}}"
        )
    };
    assert!(cattailctl(&store, "apply -f -", &pool("a", "10.0.0.0/16")).succeeded);
    let told = cattailctl(&store, "apply -f -", &pool("b", "10.0.128.0/17"));
    assert!(told.err.contains("spec.cidr: 10.0.128.0/17 overlaps 10.0.0.0/16 of IPPool/a"), "{}", told.err);
    let told = cattailctl(&store, "apply -f -", &pool("a", "10.1.0.0/16"));
    assert!(told.err.contains("spec.cidr: cannot be changed from \"10.0.0.0/16\""), "{}", told.err);
    assert_eq!(store.value("IPPool/a")["spec"]["blockSize"], 26);
}

#[test]
fn get_shows_tables() {
    let store = stored();
    assert_done(
        &cattailctl(&store, "get np -A -o wide", ""),
        "NAMESPACE   NAME   TIER       ORDER   SELECTOR       REVISION\n\
         shop        web    security           app == 'web'   2\n",
    );
    assert_done(
        &cattailctl(&store, "get tiers", ""),
        "NAME            ORDER\n\
         default         1000000\n\
         kube-admin      1000\n\
         kube-baseline   10000000\n\
         security        100\n",
    );
    assert_done(
        &cattailctl(&store, "get np,profile -n shop -o name", ""),
        "networkpolicy/web\nprofile/projectcalico-default-allow\n",
    );
}

#[test]
fn get_shows_documents_that_can_be_written_back() {
    let store = stored();
    let list = cattailctl(&store, "get networkpolicies -n shop -o json", "").out;
    let value: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(value["kind"], "List");
    assert_eq!(value["items"][0]["metadata"]["resourceVersion"], "2");
    assert_done(&cattailctl(&store, "apply -f -", &list), "NetworkPolicy/shop/web unchanged since revision 2\n");
    let yaml = cattailctl(&store, "get np web -n shop -o yaml", "").out;
    assert_done(&cattailctl(&store, "replace -f -", &yaml), "NetworkPolicy/shop/web unchanged since revision 2\n");
}

#[test]
fn get_says_what_is_not_there() {
    let store = stored();
    let told = cattailctl(&store, "get np web db -n shop -o name", "");
    assert_eq!(
        (told.succeeded, told.out.as_str(), told.err.as_str()),
        (false, "networkpolicy/web\n", "error: NetworkPolicy/shop/db does not exist\n")
    );
    let told = cattailctl(&store, "get np", "");
    assert_eq!((told.succeeded, told.err.as_str()), (true, "no np in namespace default; -A looks in all\n"));
    let error = try_cattailctl(&store, "get gizmo", "").expect_err("an error");
    assert!(error.to_string().starts_with("\"gizmo\" is not a known kind; want one of clusterinformation,"), "{error}");
    store.put("Tier/odd", "not json");
    let error = try_cattailctl(&store, "get tier odd", "").expect_err("an error");
    assert!(error.to_string().contains("Tier/odd: what is stored is not JSON"), "{error}");
}

#[test]
fn delete_removes_by_name_and_by_file() {
    let store = stored();
    let told = cattailctl(&store, "delete tier security", "");
    assert_eq!(
        (told.succeeded, told.err.as_str()),
        (false, "error: Tier/security is still used by NetworkPolicy/shop/web; delete policies first\n")
    );
    let told = cattailctl(&store, "delete tier default", "");
    assert_eq!(told.err, "error: Tier/default is built in: it cannot be deleted\n");
    assert_done(
        &cattailctl(&store, "delete -f -", &format!("{TIER}---\n{POLICY}")),
        "NetworkPolicy/shop/web deleted\nTier/security deleted\n",
    );
    let told = cattailctl(&store, "delete np web -n shop", "");
    assert_eq!((told.succeeded, told.err.as_str()), (false, "error: NetworkPolicy/shop/web does not exist\n"));
    assert_done(&cattailctl(&store, "delete np/web -n shop -s", ""), "");
    assert!(try_cattailctl(&store, "delete np", "").is_err());
    assert!(store.keys().is_empty());
}

#[test]
fn a_silent_datastore_ends_the_command() {
    let store = stored();
    store.switch_off();
    for (line, stdin) in [("apply -f -", TIER), ("get tiers", ""), ("delete np web", "")] {
        let error = try_cattailctl(&store, line, stdin).expect_err(line);
        assert_eq!(error.to_string(), "memory does not answer; switch it on", "{line}");
    }
}
