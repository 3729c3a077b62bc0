//! The loop against a kernel that does what a test says.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use felix_client::agent::Rejected;
use tokio::sync::{Notify, mpsc, oneshot};

use super::*;

/// Far more than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct FakeKernel(Arc<Script>);

#[derive(Default)]
struct Script {
    /// What was asked of the kernel, in order.
    calls: Mutex<Vec<&'static str>>,
    /// What the next applies come to; clean ones afterwards.
    outcomes: Mutex<VecDeque<Outcome>>,
    disturbance: Notify,
}

impl FakeKernel {
    fn call(&self, call: &'static str) {
        self.0.calls.lock().unwrap().push(call);
    }

    fn calls(&self) -> Vec<&'static str> {
        self.0.calls.lock().unwrap().clone()
    }

    fn applies(&self) -> usize {
        self.calls().iter().filter(|call| **call == "apply").count()
    }
}

impl Kernel for FakeKernel {
    fn take(&mut self, _: &Delta) {
        self.call("take");
    }

    async fn apply(&mut self) -> Outcome {
        self.call("apply");
        self.0.outcomes.lock().unwrap().pop_front().unwrap_or_default()
    }

    async fn disturbed(&mut self) {
        self.0.disturbance.notified().await;
    }
}

impl Intents for mpsc::Receiver<Intent> {
    fn next(&mut self) -> impl Future<Output = Option<Intent>> + Send {
        self.recv()
    }
}

struct Bench {
    kernel: FakeKernel,
    intents: mpsc::Sender<Intent>,
    stop: oneshot::Sender<()>,
    enforced: watch::Receiver<Enforced>,
    reports: Arc<Mutex<Vec<Report>>>,
    ended: tokio::task::JoinHandle<Ended>,
}

impl Bench {
    fn new(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        let kernel = FakeKernel::default();
        kernel.0.outcomes.lock().unwrap().extend(outcomes);
        let (intents, receiver) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let stopped = Box::pin(async { _ = stopped.await });
        let (sender, enforced) = watch::channel(Enforced::default());
        let reports = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&reports);
        let report = move |report| told.lock().unwrap().push(report);
        let enforcement = Enforcement::new(kernel.clone(), report, sender);
        let ended = tokio::spawn(enforcement.run(receiver, stopped));
        Self { kernel, intents, stop, enforced, reports, ended }
    }

    async fn intent(&self, revision: Version) {
        self.intents.send(Intent { delta: Delta::default(), revision, rejected: Arc::new([]) }).await.unwrap();
    }

    async fn reject(&self, revision: Version, key: &str) {
        let rejected = Rejected { key: key.parse().unwrap(), reason: "unknown action".into() };
        let intent = Intent { delta: Delta::default(), revision, rejected: Arc::new([rejected]) };
        self.intents.send(intent).await.unwrap();
    }

    async fn until(&mut self, condition: impl FnMut(&Enforced) -> bool) -> Enforced {
        time::timeout(PATIENCE, self.enforced.wait_for(condition)).await.expect("in time").expect("it runs").clone()
    }
}

fn failure(object: &str) -> Outcome {
    let failures = vec![Failure { object: object.to_owned(), reason: "refused".to_owned() }];
    Outcome { failures, broken: None }
}

#[tokio::test]
async fn nothing_is_programmed_before_the_first_intent() {
    let mut bench = Bench::new([]);
    bench.kernel.0.disturbance.notify_one();
    for _ in 0..100 {
        // One thread: each yield lets the loop do whatever it would do.
        tokio::task::yield_now().await;
    }
    assert!(bench.kernel.calls().is_empty());
    bench.intent(7).await;
    assert!(bench.until(|enforced| enforced.revision == Some(7)).await.failures.is_empty());
    assert_eq!(bench.kernel.calls()[..2], ["take", "apply"]);
}

#[tokio::test]
async fn failures_are_told_and_tried_again_until_they_are_gone() {
    let mut bench = Bench::new([failure("set"), failure("set")]);
    bench.intent(3).await;
    let failing = bench.until(|enforced| enforced.revision == Some(3)).await;
    assert_eq!(failing.failures[0].object, "set");
    let mended = bench.until(|enforced| enforced.failures.is_empty() && enforced.revision.is_some()).await;
    assert_eq!(mended.applied_at, failing.applied_at, "the revision was reached before");
    assert_eq!(bench.kernel.applies(), 3);
}

#[tokio::test]
async fn a_broken_apply_claims_no_revision() {
    let broken = Outcome { broken: Some("no netlink".to_owned()), ..Outcome::default() };
    let mut bench = Bench::new([Outcome::default(), broken]);
    bench.intent(3).await;
    bench.until(|enforced| enforced.revision == Some(3)).await;
    bench.intent(4).await;
    let broken = bench.until(|enforced| !enforced.failures.is_empty()).await;
    assert_eq!((broken.revision, broken.failures[0].reason.as_str()), (Some(3), "no netlink"));
    bench.until(|enforced| enforced.revision == Some(4)).await;
    let told: Vec<_> =
        bench.reports.lock().unwrap().iter().map(|report| (report.applied_revision, report.failures.len())).collect();
    assert_eq!(told, [(3, 0), (3, 1), (4, 0)]);
}

#[tokio::test]
async fn what_was_not_enforced_as_written_is_reported_and_not_retried() {
    let mut bench = Bench::new([]);
    bench.reject(3, "FelixConfiguration/default").await;
    assert!(bench.until(|enforced| enforced.revision == Some(3)).await.failures.is_empty());
    bench.intent(4).await;
    bench.until(|enforced| enforced.revision == Some(4)).await;
    let told: Vec<Vec<_>> = bench.reports.lock().unwrap().iter().map(|report| report.failures.clone()).collect();
    let failure = Failure { object: "FelixConfiguration/default".to_owned(), reason: "unknown action".to_owned() };
    assert_eq!(told, [vec![failure], vec![]]);
    assert_eq!(bench.kernel.applies(), 2);
}

#[tokio::test]
async fn disturbances_make_it_look_again() {
    let mut bench = Bench::new([]);
    bench.intent(1).await;
    bench.until(|enforced| enforced.revision == Some(1)).await;
    bench.kernel.0.disturbance.notify_one();
    let deadline = Instant::now() + PATIENCE;
    while bench.kernel.applies() < 2 {
        assert!(Instant::now() < deadline, "it did not look again");
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.kernel.calls(), ["take", "apply", "apply"]);
}

#[tokio::test]
async fn it_ends_when_asked_and_when_the_agent_is_gone() {
    let bench = Bench::new([]);
    bench.stop.send(()).unwrap();
    assert_eq!(bench.ended.await.unwrap(), Ended::Stopped);
    let Bench { intents, ended, stop: _stop, .. } = Bench::new([]);
    drop(intents);
    assert_eq!(ended.await.unwrap(), Ended::AgentGone);
}
