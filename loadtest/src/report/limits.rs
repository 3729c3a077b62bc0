//! Why a report's figures are not to be taken at their word: what limited the run other than the server.

use super::{Harness, Server};

/// Above this many runnable processes per core before the run, the machine was not quiet.
const QUIET_LOAD_PER_CORE: f64 = 0.5;
/// A machine this full lets what runs on it wait: latencies hold that wait.
const FULL: f64 = 0.85;
/// A writer that is later than this shows in latencies, which count from the intended time.
const BEHIND_MS: f64 = 50.0;

/// One sentence for each reason.
pub(super) fn limits(load_average: f64, cores: u32, server: Option<&Server>, harness: &Harness) -> Vec<String> {
    let cores = f64::from(cores);
    let mut limits = Vec::new();
    if load_average > QUIET_LOAD_PER_CORE * cores {
        limits.push(format!(
            "The machine was not quiet (load average {load_average:.2} on {cores} cores): take no figure here at its word."
        ));
    }
    if cfg!(debug_assertions) {
        limits.push("This is a debug build: its CPU figures and latencies are worth nothing.".to_owned());
    }
    let server_cores = server.map_or(0.0, |server| server.cores);
    // Whatever the server does not use is the harness's share.
    let share = (cores - server_cores).max(0.0);
    if harness.cores > FULL * share {
        limits.push(format!(
            "The harness was the limit: it used {:.2} cores and had {share:.2} to itself; take fewer clients or a \
             lower rate, or run it on another machine.",
            harness.cores
        ));
    }
    if harness.writer_behind_ms > BEHIND_MS {
        limits.push(format!(
            "Writes began up to {:.0} ms late, because the datastore or this process was slow; latencies include that.",
            harness.writer_behind_ms
        ));
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(load_average: f64, server_cores: f64, harness_cores: f64, writer_behind_ms: f64) -> String {
        let server = Server {
            cpu_us_per_client_update: None,
            cpu_us_per_client: 0.0,
            cores: server_cores,
            rss_kb: 0,
            rss_kb_per_client: 0.0,
        };
        let harness = Harness { cores: harness_cores, rss_kb: 0, rss_kb_per_client: 0.0, writer_behind_ms };
        limits(load_average, 4, Some(&server), &harness).join("\n")
    }

    #[test]
    fn a_saturated_harness_is_named_as_the_limit() {
        assert!(named(0.0, 2.0, 1.9, 0.0).contains("harness was the limit"));
        assert!(!named(0.0, 1.0, 1.9, 0.0).contains("harness was the limit"));
    }

    #[test]
    fn a_busy_machine_comes_first_and_a_late_writer_is_named() {
        let text = named(3.0, 0.1, 0.1, 80.0);
        assert!(text.starts_with("The machine was not quiet"), "{text}");
        assert!(text.contains("80 ms late"), "{text}");
        assert!(!named(1.0, 0.1, 0.1, 10.0).contains("ms late"));
    }
}
