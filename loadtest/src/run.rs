//! A run from its beginning to its report: deployment, phases, floor.

use anyhow::{Context as _, Result};

use crate::{
    args::RunArgs,
    deployment::Deployment,
    floor,
    interrupt::Interrupt,
    report::{Beginning, Report, client_updates},
    scenario::{Phase, Scenario},
    share::Shared,
    stage::{Findings, Stage},
};

/// Runs a scenario and its floor.
pub(crate) async fn run(name: &str, scenario: &Scenario, args: &RunArgs, interrupt: &mut Interrupt) -> Result<Report> {
    let beginning = Beginning::now(name)?;
    let shared = args.field.share.map(|share| Shared::new(share, scenario.clone())).transpose()?;
    let part = shared.as_ref().map_or_else(|| scenario.clone(), Shared::part);
    let scenario = &part;
    let deployment = Deployment::start(scenario, &args.field, args.datastore());
    let starting = async { Stage::set(scenario, shared.as_ref(), deployment.await?).await };
    let stage = Box::pin(interrupt.or(starting)).await.context("interrupted before anything was done")??;
    let found = Box::pin(stage.play(interrupt)).await?;
    let floor = match floor_of(scenario, &found).filter(|_| !args.no_floor) {
        Some(plan) => {
            eprintln!("Running the floor ...");
            interrupt.or(floor::run(&plan)).await.transpose().context("the floor")?
        }
        None => None,
    };
    Ok(Report::new(beginning, scenario, found, floor))
}

/// The same bytes at the same times to the same number of clients; `None` where the run is not a sending of bytes, or of
/// snapshots and updates at once.
fn floor_of(scenario: &Scenario, found: &Findings) -> Option<floor::Plan> {
    let storms = scenario.phases.contains(&Phase::Storm);
    let frames = match found.writes / u64::from(scenario.transaction) {
        0 if storms => 1,
        0 => return None,
        _ if storms => return None,
        transactions => transactions,
    };
    // Processes that share a run would measure each other's floors.
    let is_whole = !found.is_interrupted && found.shared.is_none();
    is_whole.then(|| floor::Plan {
        clients: scenario.clients,
        frames,
        rate: scenario.rate,
        burst: scenario.burst,
        frame_bytes: (found.measures.bytes / frames / u64::from(scenario.clients)) as usize,
        updates: client_updates(scenario, found.writes),
    })
}
