//! A run from its beginning to its report: deployment, phases, floor.

use anyhow::{Context as _, Result};

use crate::{
    deployment::{Deployment, FieldArgs},
    floor,
    local::Datastore,
    report::{Beginning, Report},
    scenario::{Phase, Scenario},
    stage::Stage,
};

/// Runs a scenario and its floor.
pub(crate) async fn run(name: &str, scenario: &Scenario, field: &FieldArgs, datastore: Datastore) -> Result<Report> {
    let beginning = Beginning::now(name)?;
    let deployment = Deployment::start(scenario, field, datastore).await?;
    let stage = Stage::set(scenario, deployment).await?;
    let found = Box::pin(stage.play()).await?;
    let floor = match floor_of(scenario, found.measures.bytes) {
        Some(plan) => {
            eprintln!("Running the floor ...");
            Some(floor::run(&plan).await.context("the floor")?)
        }
        None => None,
    };
    Ok(Report::new(beginning, scenario, found, floor))
}

/// The same bytes at the same times to the same number of clients; `None` where the run is not a sending of bytes.
fn floor_of(scenario: &Scenario, bytes: u64) -> Option<floor::Plan> {
    let storms = scenario.phases.contains(&Phase::Storm);
    let frames = match scenario.transactions() {
        0 if storms => 1,
        0 => return None,
        transactions => transactions,
    };
    let frame_bytes = (bytes / frames / u64::from(scenario.clients)) as usize;
    let updates = crate::report::client_updates(scenario);
    Some(floor::Plan {
        clients: scenario.clients,
        frames,
        rate: scenario.rate,
        burst: scenario.burst,
        frame_bytes,
        updates,
    })
}
