//! Gates say since when they are as they are, and why.

use super::{gates::*, *};

fn stale(seconds: u64) -> Failures {
    Failures { stale: Some(format!("no sign of life for {seconds} s")), ..Failures::default() }
}

fn upstream(gates: &[Gate]) -> String {
    gates.iter().map(ToString::to_string).find(|line| line.contains("upstream-fresh")).expect("it is a gate")
}

#[test]
fn a_gate_says_since_when_and_why_it_is_shut() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let mut gates = Gates::new(start);
    assert_eq!(upstream(&gates.update(Failures::default(), after(9))), "[+]upstream-fresh ok (for 9 s)");
    let shut = gates.update(stale(16), after(10));
    assert_eq!(upstream(&shut), "[-]upstream-fresh failed: no sign of life for 16 s (for 0 s)");
    // The reason's words change while it stays shut.
    let shut = gates.update(stale(20), after(14));
    assert_eq!(upstream(&shut), "[-]upstream-fresh failed: no sign of life for 20 s (for 4 s)");
    assert!(shut.iter().filter(|gate| gate.reason.is_none()).all(|gate| gate.lasts == Duration::from_secs(14)));
    assert_eq!(upstream(&gates.update(Failures::default(), after(15))), "[+]upstream-fresh ok (for 0 s)");
}

#[test]
fn what_the_datastore_complains_of_is_told_and_shuts_nothing() {
    let now = Instant::now();
    let complaint = Some("connection refused".into());
    let open = Look { gates: Gates::new(now).update(Failures::default(), now), complaint: complaint.clone() };
    assert!(open.is_ready());
    assert_eq!(open.obstacles(), [""; 0]);
    assert!(
        open.verbose().ends_with("\nthe datastore: connection refused\nreadyz check passed\n"),
        "{}",
        open.verbose()
    );
    let shut = Look { gates: Gates::new(now).update(stale(16), now), complaint };
    assert!(!shut.is_ready());
    assert_eq!(shut.obstacles(), ["stale: no sign of life for 16 s", "the datastore: connection refused"]);
    assert!(shut.verbose().ends_with("readyz check failed\n"), "{}", shut.verbose());
}
