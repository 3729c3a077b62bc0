//! A part beats whatever else it does, and one that does not is named.

use tokio::task::yield_now;

use super::*;

const LIMIT: Duration = Duration::from_millis(60);
const DEADLINE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_part_that_always_has_something_to_do_beats_all_the_same() {
    let pulses = Pulses::new(LIMIT);
    let mut pulse = pulses.part("busy");
    let beats = async {
        for _ in 0..BEATS_WITHIN_LIMIT {
            loop {
                tokio::select! {
                    biased;
                    () = pulse.beat() => break,
                    () = yield_now() => {}
                }
            }
        }
    };
    tokio::time::timeout(DEADLINE, beats).await.expect("it beats");
}

#[test]
fn a_part_is_wedged_when_it_was_silent_for_longer_than_the_limit() {
    let pulses = Pulses::new(LIMIT);
    let begun = Instant::now();
    let _silent = pulses.part("writer");
    assert_eq!(pulses.complaint(begun + LIMIT / 2), None);
    let later = begun + LIMIT + Duration::from_secs(40);
    let complaint = pulses.complaint(later).expect("it is silent");
    assert_eq!(complaint, "writer has not run for 40 s; only a restart of typha helps");
    let lines: Vec<_> = pulses.silences(later).iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["[-]writer failed: it does not run (last ran 40 s ago)"]);
}
