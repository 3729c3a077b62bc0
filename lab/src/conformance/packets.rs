//! Cells decided by real packets: pods in network namespaces, the real dataplane on every node between them.
//!
//! Only what crosses the wire is seen here, so a cell is its combined result: allowed when a connection or datagram is
//! answered. A pod that talks to itself never meets policy in a kernel, and SCTP is left to the evaluation without
//! packets; such cells are counted as skipped.

mod testbed;

use std::time::Duration;

use anyhow::{Context, Result};

use self::testbed::Testbed;
use super::{
    Case, Cell, CellProtocol, Connectivity, Failure, Step, Tally,
    cluster::Cluster,
    evaluation::{pods_by_name, resolve},
};
use crate::net::probe::{self, Attempt, Outcome, Probe};

/// How long an answer may take at first. Most cells that must be blocked cost exactly this; answers take a
/// millisecond where the machine is idle.
const PATIENCE: Duration = Duration::from_millis(300);

/// How long it may take the second time, for cells whose first answer did not come on a busy machine.
const SECOND_PATIENCE: Duration = Duration::from_secs(2);

/// Runs every step of a case in a laboratory of its own.
pub fn run(case: &Case) -> Result<Tally> {
    let mut testbed = Testbed::new()?;
    let mut cluster = Cluster::new();
    let mut tally = Tally::default();
    for (index, step) in case.steps.iter().enumerate() {
        let place = || format!("case {}, step {}", case.index, index + 1);
        testbed.wire(step).with_context(place)?;
        let deltas = cluster.advance(step).with_context(place)?;
        testbed.enforce(&deltas).with_context(place)?;
        check(&testbed, step, index + 1, &mut tally).with_context(place)?;
    }
    Ok(tally)
}

/// A cell that packets can decide, and how.
struct Question<'a> {
    cell: &'a Cell,
    attempt: Attempt<'a>,
}

fn check(testbed: &Testbed, step: &Step, number: usize, tally: &mut Tally) -> Result<()> {
    let questions = questions(testbed, step)?;
    tally.skipped += step.expected.len() - questions.len();
    let outcomes = ask(&questions)?;
    for (Question { cell, attempt }, outcome) in questions.iter().zip(outcomes) {
        let failure = (Connectivity::when(outcome.is_answered()) != cell.combined).then(|| Failure {
            step: number,
            what: format!("{} -> {} {}: must be {}, was {outcome:?}", cell.from, cell.to, attempt.probe, cell.combined),
        });
        tally.count(failure);
    }
    Ok(())
}

fn questions<'a>(testbed: &'a Testbed, step: &'a Step) -> Result<Vec<Question<'a>>> {
    let pods = pods_by_name(step);
    let mut questions = Vec::new();
    for cell in step.expected.iter().filter(|cell| cell.from != cell.to) {
        let (_, to, port) = resolve(&pods, cell)?;
        let probe = match cell.protocol {
            CellProtocol::Tcp => Probe::Tcp(port),
            CellProtocol::Udp => Probe::Udp(port),
            CellProtocol::Sctp => continue,
        };
        let attempt = Attempt { from: testbed.pod(&cell.from)?, to: to.ip, probe };
        questions.push(Question { cell, attempt });
    }
    Ok(questions)
}

/// Asks all at once, then those again that were not answered and should have been. A cell that must be blocked gets no
/// second chance: one packet that came through is one too many.
fn ask(questions: &[Question<'_>]) -> Result<Vec<Outcome>> {
    let attempts: Vec<Attempt<'_>> = questions.iter().map(|question| question.attempt).collect();
    let mut outcomes = probe::run(&attempts, PATIENCE)?;
    let doubtful: Vec<usize> = (0..questions.len())
        .filter(|index| questions[*index].cell.combined == Connectivity::Allowed && !outcomes[*index].is_answered())
        .collect();
    let again: Vec<Attempt<'_>> = doubtful.iter().map(|index| attempts[*index]).collect();
    for (index, outcome) in doubtful.into_iter().zip(probe::run(&again, SECOND_PATIENCE)?) {
        outcomes[index] = outcome;
    }
    Ok(outcomes)
}
