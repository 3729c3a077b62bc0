//! When to remind people of certificates that should have been renewed: once a day each. Pure.

use std::time::{Duration, SystemTime};

use crate::{Expiry, Life};

/// Often enough to be found in a day's log, and seldom enough to be read.
const EVERY: Duration = Duration::from_hours(24);

/// Remembers what was said when.
#[derive(Debug, Default)]
pub struct Reminder {
    own: Option<Said>,
    ca: Option<Said>,
}

#[derive(Debug)]
struct Said {
    /// Which certificate it was about.
    not_after: SystemTime,
    at: SystemTime,
}

impl Reminder {
    /// What to tell the log at present, a line each. To be asked often.
    pub fn due(&mut self, expiry: &Expiry, now: SystemTime) -> Vec<String> {
        let lines =
            [(&mut self.own, &expiry.own), (&mut self.ca, &expiry.ca)].map(|(said, life)| line(said, life, now));
        lines.into_iter().flatten().collect()
    }
}

fn line(said: &mut Option<Said>, life: &Life, now: SystemTime) -> Option<String> {
    let is_fresh = said.as_ref().is_some_and(|said| {
        // Where the clock was set back, what was said last counts from the present.
        said.not_after == life.not_after && now.duration_since(said.at).unwrap_or_default() < EVERY
    });
    if is_fresh || !life.is_short(now) {
        return None;
    }
    *said = Some(Said { not_after: life.not_after, at: now });
    let way_out = "issue a new one and replace the file, it is then taken into use within seconds";
    Some(format!("{}: less than three tenths of its life is left; {way_out}", life.says()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn life(file: &str, not_after: SystemTime) -> Life {
        let not_before = not_after - 100 * DAY;
        Life { file: file.into(), subject: "CN=typha".to_owned(), not_before, not_after }
    }

    #[test]
    fn a_day_passes_between_reminders_unless_the_certificate_is_another() {
        let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let after = |days: u32| start + days * DAY;
        let mut expiry = Expiry { own: life("/tls/tls.crt", after(40)), ca: life("/tls/ca.crt", after(99)) };
        let mut reminder = Reminder::default();
        assert_eq!(reminder.due(&expiry, after(9)), [""; 0], "31 of 100 days are left");
        let lines = reminder.due(&expiry, after(11));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let parts =
            ["CN=typha", "/tls/tls.crt", "valid until Nov 13 00:00:00 2024", "less than three tenths", "replace"];
        for part in parts {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
        assert_eq!(reminder.due(&expiry, after(12) - Duration::from_secs(1)), [""; 0], "not again on the same day");
        assert_eq!(reminder.due(&expiry, after(12)).len(), 1);
        expiry.own = life("/tls/tls.crt", after(41));
        assert_eq!(reminder.due(&expiry, after(12)).len(), 1, "another one, and short as well");
        expiry.own = life("/tls/tls.crt", after(111));
        assert_eq!(reminder.due(&expiry, after(14)), [""; 0], "it was renewed");
        assert!(reminder.due(&expiry, after(70))[0].contains("/tls/ca.crt"));
    }
}
