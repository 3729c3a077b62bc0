//! The laboratory itself: what it builds carries packets, refuses them, and counts them. Needs root (or
//! `unshare --map-root-user`) and iproute2.

#![expect(clippy::expect_used, reason = "a test that cannot go on says why")]

use std::{net::IpAddr, time::Duration};

use lab::net::{
    Lab, LabError, Listen, Process, ProcessSpec, Watch,
    probe::{self, Attempt, Outcome, PATIENCE, Probe},
    traffic::{Flow, FlowKind},
};

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Two nodes with a pod each, and a host outside, joined by plain kernel routes.
fn two_nodes() -> Result<Lab, LabError> {
    let mut lab = Lab::new()?;
    for (node, node_address, pod, pod_address) in
        [("node-1", "172.18.0.11/24", "left", "10.65.1.1"), ("node-2", "172.18.0.12/24", "right", "10.65.2.1")]
    {
        lab.add_node(node, node_address.parse().expect("a prefix"))?;
        lab.add_pod(node, "test", pod, &[address(pod_address)])?.listen(&[Listen::Tcp(80), Listen::Udp(53)])?;
    }
    lab.add_outside("internet", &[address("198.51.100.10")])?.listen(&[Listen::Tcp(443)])?;
    lab.route_without_agents()?;
    Ok(lab)
}

/// Looks until it is so, for five seconds at most.
fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_so()
    })
}

fn outcomes(lab: &Lab, questions: &[(&str, &str, Probe)], patience: Duration) -> Vec<Outcome> {
    let attempts: Vec<Attempt<'_>> = questions
        .iter()
        .map(|&(from, to, probe)| Attempt { from: lab.pod(from).expect("a pod"), to: address(to), probe })
        .collect();
    probe::run(&attempts, patience).expect("probes run")
}

#[test]
fn packets_pass_between_nodes_and_to_the_outside() {
    let lab = two_nodes().expect("a laboratory");
    let questions = [
        ("test/left", "10.65.2.1", Probe::Ping),
        ("test/right", "10.65.1.1", Probe::Ping),
        ("test/left", "10.65.2.1", Probe::Tcp(80)),
        ("test/left", "10.65.2.1", Probe::Udp(53)),
        ("test/left", "198.51.100.10", Probe::Tcp(443)),
        ("internet", "10.65.2.1", Probe::Tcp(80)),
    ];
    for (question, outcome) in questions.iter().zip(outcomes(&lab, &questions, PATIENCE)) {
        assert!(outcome.is_answered(), "{question:?}: {outcome:?}");
    }
}

#[test]
fn refusal_and_silence_are_told_apart() {
    let lab = two_nodes().expect("a laboratory");
    // Nobody listens on the first two; the fabric has no route for the third.
    let questions = [
        ("test/left", "10.65.2.1", Probe::Tcp(81)),
        ("test/left", "10.65.2.1", Probe::Udp(81)),
        ("test/left", "203.0.113.99", Probe::Tcp(80)),
    ];
    assert_eq!(outcomes(&lab, &questions, PATIENCE), [Outcome::Refused; 3]);

    let right = lab.pod("test/right").expect("a pod");
    lab.node("node-2").expect("a node").netns().ip(&format!("link set {} down", right.interface())).expect("ip");
    lab.node("node-2").expect("a node").netns().ip("route add blackhole 10.65.2.1/32").expect("ip");
    let patience = Duration::from_millis(300);
    assert!(outcomes(&lab, &[("test/left", "10.65.2.1", Probe::Udp(53))], patience).iter().all(|o| !o.is_answered()));
}

#[test]
fn flows_count_what_is_lost() {
    let lab = two_nodes().expect("a laboratory");
    let (left, right) = (lab.pod("test/left").expect("a pod"), lab.pod("test/right").expect("a pod"));
    let node = lab.node("node-2").expect("a node").netns();
    let datagrams = Flow::start(left, address("10.65.2.1"), FlowKind::Probes(Probe::Udp(53))).expect("a flow");
    let stream = Flow::start(left, address("10.65.2.1"), FlowKind::Stream(80)).expect("a flow");
    let attempt = Attempt { from: left, to: address("10.65.2.1"), probe: Probe::Udp(53) };
    assert!(probe::one(attempt, PATIENCE).expect("a probe").is_answered());

    node.ip(&format!("link set {} down", right.interface())).expect("ip");
    assert!(!probe::one(attempt, Duration::from_millis(200)).expect("a probe").is_answered());
    node.ip(&format!("link set {i} up\nroute replace 10.65.2.1/32 dev {i} scope link\n", i = right.interface()))
        .expect("ip");
    let watch = Watch::start(attempt, Duration::from_millis(20), Duration::from_secs(5)).expect("a watch");
    assert!(watch.answered_at().expect("probes").is_some(), "packets pass again");

    let datagrams = datagrams.stop().expect("a tally");
    assert!(datagrams.answered > 0 && datagrams.lost() > 0, "{datagrams:?}");
    let stream = stream.stop().expect("a tally");
    assert!(stream.sent > 0 && stream.lost() == 0, "TCP sends again what was lost: {stream:?}");
}

#[test]
fn children_run_inside_and_their_deaths_are_explained() {
    let lab = two_nodes().expect("a laboratory");
    let folder = tempfile::tempdir().expect("a folder");
    let start = |name: &str, script: &str| {
        let spec = ProcessSpec {
            name: name.to_owned(),
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            log: folder.path().join(name),
        };
        Process::start(lab.node("node-2").expect("a node").netns(), spec).expect("a process")
    };
    let mut dying = start("dying", "ip -brief address show eth0; echo because >&2; exit 3");
    let mut obituary = None;
    eventually(|| {
        obituary = dying.obituary();
        obituary.is_some()
    });
    let obituary = obituary.expect("it ends by itself");
    for words in ["dying ended with exit status 3", "172.18.0.12/24", "because"] {
        assert!(obituary.contains(words), "{obituary}");
    }

    let mut steady = start("steady", "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
    let log = folder.path().join("steady");
    let says = |word: &str| std::fs::read_to_string(&log).is_ok_and(|text| text.contains(word));
    assert!(eventually(|| says("ready")), "the trap is set");
    assert_eq!(steady.obituary(), None);
    steady.end().expect("it ends when it is asked");
    assert!(says("asked"));
}
