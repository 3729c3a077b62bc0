//! Why a report's figures are not to be taken at their word: what limited the run other than the server.

use super::{Harness, Server, elsewhere::Elsewhere};

/// Others that used more than this were not quiet. An idle machine's daemons stay below a fiftieth of a core, kernel threads
/// that work for the run's own processes (ksoftirqd, kworker) below a twentieth, and both count as others'.
const QUIET_CORES: f64 = 0.1;
/// A machine this full lets what runs on it wait: latencies hold that wait.
const FULL: f64 = 0.85;
/// A writer that is later than this shows in latencies, which count from the intended time.
const BEHIND_MS: f64 = 50.0;

/// One sentence for each reason.
pub(super) fn limits(cores: u32, server: Option<&Server>, harness: &Harness, elsewhere: &Elsewhere) -> Vec<String> {
    let cores = f64::from(cores);
    let mut limits = Vec::new();
    let busy = [(elsewhere.others_cores, "others"), (elsewhere.steal_cores, "its host")];
    for (used, whose) in busy.into_iter().filter_map(|(used, whose)| Some((used?, whose))) {
        if used > QUIET_CORES {
            limits.push(format!(
                "The machine was not quiet: {whose} used {used:.2} of its {cores} cores; take no figure here at its word."
            ));
        }
    }
    if cfg!(debug_assertions) {
        limits.push("This is a debug build: its CPU figures and latencies are worth nothing.".to_owned());
    }
    let server_cores = server.map_or(0.0, |server| server.cores);
    // Whatever nobody else uses is the harness's share. Others that use more than it are the limit themselves.
    let share = (cores - server_cores - elsewhere.cores()).max(0.0);
    if harness.cores > FULL * share && harness.cores > elsewhere.cores() {
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

    fn named(server_cores: f64, harness_cores: f64, writer_behind_ms: f64, elsewhere: Elsewhere) -> String {
        let server = Server {
            cpu_us_per_client_update: None,
            cpu_us_per_client: 0.0,
            cores: server_cores,
            rss_kb: 0,
            rss_kb_per_client: 0.0,
        };
        let harness = Harness { cores: harness_cores, rss_kb: 0, rss_kb_per_client: 0.0, writer_behind_ms };
        limits(4, Some(&server), &harness, &elsewhere).join("\n")
    }

    fn others(cores: f64) -> Elsewhere {
        Elsewhere { others_cores: Some(cores), ..Elsewhere::default() }
    }

    #[test]
    fn a_saturated_harness_is_named_as_the_limit() {
        let is_limit = |server, elsewhere| named(server, 1.9, 0.0, elsewhere).contains("harness was the limit");
        assert!(is_limit(2.0, Elsewhere::default()) && !is_limit(1.0, Elsewhere::default()));
        assert!(is_limit(1.0, others(0.9)), "others leave it less");
        assert!(!is_limit(0.1, others(2.0)), "others took more than it");
        let store = Elsewhere { datastore_cores: Some(0.9), ..Elsewhere::default() };
        assert!(is_limit(1.0, store), "so does its datastore");
        assert!(!named(1.0, 1.9, 0.0, store).contains("quiet"), "which is no stranger");
    }

    #[test]
    fn a_busy_machine_comes_first_and_a_late_writer_is_named() {
        let text = named(0.1, 0.1, 80.0, others(0.43));
        assert!(text.starts_with("The machine was not quiet: others used 0.43 of its 4 cores"), "{text}");
        assert!(text.contains("80 ms late"), "{text}");
        let text = named(0.1, 0.1, 10.0, Elsewhere { steal_cores: Some(0.2), ..others(0.09) });
        assert!(text.starts_with("The machine was not quiet: its host used 0.20"), "{text}");
        assert!(!text.contains("ms late") && !text.contains("others"), "{text}");
    }
}
