//! Real packets between pods, and whether they were answered.
//!
//! All attempts run at once, each from inside its source's namespace: TCP by a connection, UDP by an echoed datagram,
//! ICMP by an echo request. Silence is what a dropping kernel looks like, so a matrix takes as long as its patience.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use super::{
    LabError, Netns, Pod,
    flight::{Flight, wait},
};

/// How long an answer may take before silence is taken for a drop. Answers come within a millisecond on an idle machine;
/// a second allows for a very busy one.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// Datagrams are sent again after this time, as any client would, lest one lost to a full queue count as a drop.
const RESEND_AFTER: Duration = Duration::from_millis(250);

/// What to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// A TCP connection to this port.
    Tcp(u16),
    /// A UDP datagram to this port.
    Udp(u16),
    /// An ICMP (or ICMPv6) echo request.
    Ping,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(port) => write!(f, "tcp/{port}"),
            Self::Udp(port) => write!(f, "udp/{port}"),
            Self::Ping => f.write_str("ping"),
        }
    }
}

/// One question: does this get from here to there and back?
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Where packets start.
    pub from: &'a Pod,
    /// Where they go.
    pub to: IpAddr,
    /// What they are.
    pub probe: Probe,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer came after this time.
    Answered(Duration),
    /// Somebody said no (a TCP reset, an ICMP error): packets flow, but nobody listens or a route is missing.
    Refused,
    /// Nothing came back.
    Silent,
}

impl Outcome {
    /// Whether packets went there and back to a listener.
    pub fn is_answered(self) -> bool {
        matches!(self, Self::Answered(_))
    }
}

/// Makes all attempts at once; outcomes are in the order of the attempts.
pub fn run(attempts: &[Attempt<'_>], patience: Duration) -> Result<Vec<Outcome>, LabError> {
    let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, attempt) in attempts.iter().enumerate() {
        by_source.entry(attempt.from.name()).or_default().push(index);
    }
    let groups: Vec<Vec<usize>> = by_source.into_values().collect();
    let answers = thread::scope(|scope| {
        let threads: Vec<_> = groups
            .iter()
            .map(|group| {
                let targets: Vec<(IpAddr, Probe)> =
                    group.iter().map(|&index| (attempts[index].to, attempts[index].probe)).collect();
                let netns = attempts[group[0]].from.netns();
                scope.spawn(move || run_from(netns, &targets, patience))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let mut outcomes = vec![Outcome::Silent; attempts.len()];
    for (index, outcome) in groups.iter().flatten().zip(answers.into_iter().flatten()) {
        outcomes[*index] = outcome;
    }
    Ok(outcomes)
}

/// Makes one attempt.
pub fn one(attempt: Attempt<'_>, patience: Duration) -> Result<Outcome, LabError> {
    Ok(run_from(attempt.from.netns(), &[(attempt.to, attempt.probe)], patience)?[0])
}

fn run_from(netns: &Netns, targets: &[(IpAddr, Probe)], patience: Duration) -> Result<Vec<Outcome>, LabError> {
    netns.run(|| drive(targets, patience))
}

/// Sends to all targets from the calling thread's namespace and waits for answers to all, or for the end of patience.
fn drive(targets: &[(IpAddr, Probe)], patience: Duration) -> Result<Vec<Outcome>, LabError> {
    let start = Instant::now();
    let mut flights = Vec::with_capacity(targets.len());
    for &(to, probe) in targets {
        flights.push(launch(to, probe)?);
    }
    let mut sent_at = start;
    while start.elapsed() < patience && flights.iter().any(Flight::is_open) {
        if sent_at.elapsed() >= RESEND_AFTER {
            flights.iter_mut().for_each(Flight::resend);
            sent_at = Instant::now();
        }
        let until = patience.min(sent_at.duration_since(start) + RESEND_AFTER).saturating_sub(start.elapsed());
        wait(&flights, until);
        flights.iter_mut().for_each(Flight::progress);
    }
    Ok(flights.iter().map(Flight::outcome).collect())
}

fn launch(to: IpAddr, probe: Probe) -> Result<Flight, LabError> {
    Flight::launch(to, probe).map_err(LabError::system(format!("sending {probe} to {to}")))
}
