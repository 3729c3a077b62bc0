//! Where a run's CPU time and memory are read: the processes that it has, and the machine.

use std::sync::Arc;

use anyhow::Result;

use super::Reading;
use crate::{
    local::Meter,
    process::{MachineTime, Usage},
};

/// The processes of a run, other than this one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    /// The typhas; none where they are not ours to look at.
    pub(crate) server: Option<Arc<Meter>>,
    /// The datastore; likewise.
    pub(crate) datastore: Option<Arc<Meter>>,
}

impl Gauges {
    /// Reads them all.
    pub(crate) fn read(&self) -> Result<Reading> {
        let usage = |meter: &Option<Arc<Meter>>| meter.as_ref().map(|meter| meter.usage()).transpose();
        Ok(Reading {
            server: usage(&self.server)?,
            datastore: usage(&self.datastore)?,
            own: Usage::own()?,
            machine: MachineTime::now(),
        })
    }
}
