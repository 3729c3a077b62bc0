//! When a client that has a stream looks for a better place, and when it leaves without one. Pure.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::super::{course::Course, replica::Replica};

/// Of the time that a replica gives, clients first look for another place in this part.
const LOOK_PART: f64 = 0.5;

/// They leave without one after this part and before the end, which is a cut. In between further attempts must fit in.
const STAY_PART: f64 = 0.75;

/// A client that holds nothing yet, or has to leave and found no place, looks again after this.
pub(in crate::sync) const NOT_YET: Duration = Duration::from_secs(1);

/// What a client has in mind.
#[derive(Debug)]
pub(in crate::sync) struct Plan {
    /// Clients that learn the same look within this, not all at once.
    spread: Duration,
    look_at: Option<Instant>,
    leave: Option<Leave>,
}

/// A departure that typha asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Leave {
    /// Without a better place too, unless the client may stay where it finds none.
    pub(in crate::sync) by: Option<Instant>,
    /// Why, as typha put it.
    pub(in crate::sync) reason: Arc<str>,
}

impl Plan {
    pub(in crate::sync) fn new(spread: Duration) -> Self {
        Self { spread, look_at: None, leave: None }
    }

    /// There is a better place now, or there may be one at a time to come. `random` lies in `0.0..1.0`.
    pub(in crate::sync) fn consider(&mut self, is_better: bool, later: Option<Instant>, now: Instant, random: f64) {
        // Who is to leave has spread its first look already: news must not bring all of them at once.
        if self.has_to_leave() && self.look_at.is_some() {
            return;
        }
        let spread = if self.has_to_leave() { Duration::ZERO } else { self.spread.mul_f64(random) };
        let look_at = if is_better { Some(now) } else { later }.map(|at| at + spread);
        // An earlier look stays, or news that keep coming would put it off for ever.
        self.look_at = [self.look_at, look_at].into_iter().flatten().min();
    }

    /// Typha asks the client to go within a time. Said once.
    pub(in crate::sync) fn asked(&mut self, reason: &str, within: Duration, may_stay: bool, now: Instant, random: f64) {
        let look_at = now + within.mul_f64(LOOK_PART * random);
        let by = (!may_stay).then(|| now + within.mul_f64(STAY_PART + (1.0 - STAY_PART) * random));
        self.look_at = Some(look_at);
        self.leave = Some(Leave { by, reason: reason.into() });
    }

    /// The departure that typha asked for.
    pub(in crate::sync) fn leave(&self) -> Option<&Leave> {
        self.leave.as_ref()
    }

    /// Whether the client loses its stream if it finds no other place.
    pub(in crate::sync) fn has_to_leave(&self) -> bool {
        self.leave.as_ref().is_some_and(|leave| leave.by.is_some())
    }

    /// There is no better place: whoever may stay does.
    pub(in crate::sync) fn found_nothing(&mut self) {
        self.leave.take_if(|leave| leave.by.is_none());
    }

    /// How long an attempt may take, `most` at the most. Half of the time that is left, for who has to leave: another
    /// attempt is to fit in.
    pub(in crate::sync) fn time_for_an_attempt(&self, now: Instant, most: Duration) -> Duration {
        let by = self.leave.as_ref().and_then(|leave| leave.by);
        by.map_or(most, |by| (by.saturating_duration_since(now) / 2).min(most))
    }

    /// Where to go from `here`, if anywhere.
    pub(in crate::sync) fn place<'c>(&self, course: &'c Course, here: &str, now: Instant) -> Option<&'c Replica> {
        if self.has_to_leave() { course.elsewhere(here, now) } else { course.better(here, now) }
    }

    /// What is known of replicas changed, or an attempt came to its end: plans the next look from `here`.
    pub(in crate::sync) fn weigh(&mut self, course: &Course, here: &str, now: Instant, random: f64) {
        let later = if self.has_to_leave() { Some(now + NOT_YET) } else { course.look_again_at(here, now) };
        self.consider(course.better(here, now).is_some(), later, now, random);
    }

    /// Whether it is time to leave without a better place.
    pub(in crate::sync) fn is_over(&self, now: Instant) -> bool {
        self.leave.as_ref().and_then(|leave| leave.by).is_some_and(|by| by <= now)
    }

    /// Whether it is time to look. Said once for each time.
    pub(in crate::sync) fn is_to_look(&mut self, now: Instant) -> bool {
        self.look_at.take_if(|at| *at <= now).is_some()
    }

    /// When something is next to be done.
    pub(in crate::sync) fn next(&self) -> Option<Instant> {
        [self.look_at, self.leave.as_ref().and_then(|leave| leave.by)].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPREAD: Duration = Duration::from_secs(10);

    #[test]
    fn a_better_place_is_looked_at_within_the_spread_and_news_do_not_put_it_off() {
        let now = Instant::now();
        let mut plan = Plan::new(SPREAD);
        plan.consider(true, None, now, 0.5);
        assert_eq!(plan.next(), Some(now + SPREAD / 2));
        plan.consider(true, None, now + SPREAD / 4, 0.9);
        assert_eq!(plan.next(), Some(now + SPREAD / 2));
        assert!(!plan.is_to_look(now) && plan.is_to_look(now + SPREAD / 2) && !plan.is_to_look(now + SPREAD));
        plan.consider(false, Some(now + SPREAD * 3), now, 0.0);
        assert_eq!(plan.next(), Some(now + SPREAD * 3));
        assert!(!plan.is_over(now + SPREAD * 100));
    }

    #[test]
    fn who_is_asked_to_go_looks_first_and_leaves_before_the_end() {
        let (now, within) = (Instant::now(), Duration::from_secs(8));
        for random in [0.0, 0.5, 0.999] {
            let mut plan = Plan::new(SPREAD);
            plan.asked("an update", within, false, now, random);
            let look_at = plan.next().unwrap();
            plan.consider(true, None, now, random);
            assert_eq!(plan.next(), Some(look_at), "news hurry nobody");
            assert!(look_at < now + within.mul_f64(LOOK_PART) && plan.is_to_look(look_at) && plan.has_to_leave());
            // The first place was no good: look again at once.
            plan.consider(true, None, look_at, random);
            assert!(plan.is_to_look(look_at));
            let by = plan.next().unwrap();
            assert!(by >= now + within.mul_f64(STAY_PART) && by < now + within);
            assert!(plan.is_over(by) && !plan.is_over(look_at));
        }
    }

    #[test]
    fn who_may_stay_is_never_late() {
        let now = Instant::now();
        let mut plan = Plan::new(SPREAD);
        plan.asked("too many", SPREAD, true, now, 0.1);
        assert!(plan.is_to_look(now + SPREAD) && plan.next().is_none() && !plan.has_to_leave());
        assert_eq!(plan.time_for_an_attempt(now, SPREAD), SPREAD);
        assert!(!plan.is_over(now + SPREAD * 10) && plan.leave().is_some());
        plan.found_nothing();
        assert_eq!(plan.leave(), None);
    }
}
