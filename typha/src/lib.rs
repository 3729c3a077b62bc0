//! Snapshot and fan-out service.
