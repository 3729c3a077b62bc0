//! When to remind people of certificates that should have been renewed, are left out or cannot be used: once a day each. Pure.

use std::time::{Duration, SystemTime};

use crate::{Expiry, Life};

/// Often enough to be found in a day's log, and seldom enough to be read.
const EVERY: Duration = Duration::from_hours(24);

/// Remembers what was said when.
#[derive(Debug, Default)]
pub struct Reminder {
    own: Option<Said>,
    ca: Option<Said>,
    left_out: Option<Said>,
    refused: Option<Said>,
}

#[derive(Debug)]
struct Said {
    line: String,
    at: SystemTime,
}

impl Reminder {
    /// What to tell the log at present, a line each. To be asked often.
    pub fn due(&mut self, expiry: &Expiry, now: SystemTime) -> Vec<String> {
        let lines = [
            (&mut self.own, renewal(&expiry.own, now)),
            (&mut self.ca, renewal(&expiry.ca, now)),
            (&mut self.left_out, omission(expiry, now)),
        ];
        lines.into_iter().filter_map(|(said, line)| say(said, line?, now)).collect()
    }

    /// What to tell the log of files that cannot be used, where they cannot. To be asked as often.
    pub fn refused(&mut self, refusal: Option<&str>, now: SystemTime) -> Option<String> {
        let Some(reason) = refusal else {
            // Should the same come again, it is news.
            self.refused = None;
            return None;
        };
        let line = format!("the new certificates cannot be used, the old ones stay in force: {reason}");
        say(&mut self.refused, line, now)
    }
}

/// Tells of a certificate that should have been renewed.
fn renewal(life: &Life, now: SystemTime) -> Option<String> {
    let way_out = "issue a new one and replace the file, it is then taken into use within seconds";
    life.is_short(now).then(|| format!("{}: less than three tenths of its life is left; {way_out}", life.says()))
}

/// Tells of CAs that are left out.
fn omission(expiry: &Expiry, now: SystemTime) -> Option<String> {
    let (file, flaws) = (expiry.ca.file.display(), expiry.flaws(now));
    let way_out = "remove what has expired; what is not valid yet is taken into use when it is";
    (!flaws.is_empty()).then(|| format!("not every CA in {file} is in force: {}; {way_out}", flaws.join("; ")))
}

fn say(said: &mut Option<Said>, line: String, now: SystemTime) -> Option<String> {
    let is_fresh = said.as_ref().is_some_and(|said| {
        // Where the clock was set back, what was said last counts from the present.
        said.line == line && now.duration_since(said.at).unwrap_or_default() < EVERY
    });
    if is_fresh {
        return None;
    }
    *said = Some(Said { line: line.clone(), at: now });
    Some(line)
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
        let (own, ca) = (life("/tls/tls.crt", after(40)), life("/tls/ca.crt", after(99)));
        let mut expiry = Expiry { own, last_ca: ca.clone(), ca, left_out: Vec::new() };
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

    #[test]
    fn files_that_cannot_be_used_are_told_once_a_day_until_they_can() {
        let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let mut reminder = Reminder::default();
        assert_eq!(reminder.refused(None, start), None);
        assert!(reminder.refused(Some("no PEM"), start).is_some_and(|line| line.ends_with("no PEM")));
        assert_eq!(reminder.refused(Some("no PEM"), start + DAY / 2), None, "not again on the same day");
        assert!(reminder.refused(Some("no key"), start + DAY / 2).is_some(), "for another reason");
        assert!(reminder.refused(Some("no key"), start + 2 * DAY).is_some());
        assert_eq!(reminder.refused(None, start + 2 * DAY), None);
        assert!(reminder.refused(Some("no key"), start + 2 * DAY).is_some(), "again, after they were good");
    }

    #[test]
    fn cas_that_are_left_out_are_told_once_a_day_in_one_line() {
        let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let after = |days: u32| start + days * DAY;
        let (own, ca) = (life("/tls/tls.crt", after(99)), life("/tls/ca.crt", after(99)));
        let old = Life { subject: "CN=old".to_owned(), ..life("/tls/ca.crt", after(0)) };
        let next = Life { subject: "CN=next".to_owned(), ..life("/tls/ca.crt", after(110)) };
        let expiry = Expiry { own, last_ca: ca.clone(), ca, left_out: vec![old, next] };
        let mut reminder = Reminder::default();
        let lines = reminder.due(&expiry, after(1));
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        for part in ["/tls/ca.crt", "CN=old expired on Oct  4", "CN=next is not valid before Oct 14", "remove"] {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
        assert_eq!(reminder.due(&expiry, after(2) - Duration::from_secs(1)), [""; 0], "not again on the same day");
        assert_eq!(reminder.due(&expiry, after(2)).len(), 1);
        let line = &reminder.due(&expiry, after(11))[0];
        assert!(line.contains("CN=old") && !line.contains("CN=next"), "its time has come: {line}");
    }
}
