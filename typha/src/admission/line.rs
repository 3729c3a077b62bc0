//! Who is next. Pure: demands and times in, answers out.
//!
//! Resumptions go before repairs and those before snapshots, whoever was sent a part already before all, who was put off
//! before who was not, and otherwise first come, first served. Nobody overtakes a client because its own share would
//! still fit.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use super::{AdmissionLimits, AdmissionStatus, Demand, Need, pace::Pace};

/// What a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It holds a share.
    Admitted,
    /// It is in line.
    Wait,
    /// It is not in line any more.
    PutOff {
        /// When to come back.
        retry_after: Duration,
        /// How many are in line.
        waiting: usize,
    },
}

/// Those who hold a share, and those who wait for one.
pub(super) struct Line {
    limits: AdmissionLimits,
    /// Everybody, by number.
    places: HashMap<u64, Place>,
    /// Those who wait, in the order in which they are served.
    waiting: BTreeMap<Turn, u64>,
    /// Their shares.
    waiting_bytes: u64,
    /// The shares of those who hold one. Never more than the budget.
    used_bytes: u64,
    /// Those whose answer has changed since this was last asked for.
    called: Vec<u64>,
    pace: Pace,
    /// The time of the last question: nobody tells it who leaves.
    latest: Option<Instant>,
    /// What the next one who joins the line, again or for the first time, is numbered.
    next_arrival: u64,
    totals: AdmissionStatus,
}

struct Place {
    demand: Demand,
    /// What it holds of the budget, or waits for.
    share_bytes: u64,
    stage: Stage,
}

enum Stage {
    Waiting {
        turn: Turn,
        since: Instant,
    },
    /// Sent to.
    Admitted {
        /// Since when it is looked at whether the share is used.
        since: Instant,
        /// What it took since then.
        taken_bytes: u64,
    },
    /// Its share was taken from it, and it has not asked since.
    Lapsed,
    PutOff(Duration),
}

/// A place in line; the least is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    has_begun: Reverse<bool>,
    need: Need,
    put_off: Reverse<u32>,
    arrival: u64,
}

impl Line {
    pub(super) fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            places: HashMap::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            used_bytes: 0,
            called: Vec::new(),
            pace: Pace::default(),
            latest: None,
            next_arrival: 0,
            totals: AdmissionStatus::default(),
        }
    }

    /// A client asks; it gets a number, and the answer to that.
    pub(super) fn enter(&mut self, demand: Demand, now: Instant) -> u64 {
        self.latest = Some(now);
        let number = self.next_arrival;
        self.join(number, demand, false, now);
        if self.is_hopeless(number) {
            self.put_off(number, now);
        }
        if self.waiting.len() > self.limits.waiting
            && let Some((_, &last)) = self.waiting.last_key_value()
        {
            self.put_off(last, now);
        }
        number
    }

    /// What a client may do now, having taken so much since it asked before.
    pub(super) fn answer(&mut self, number: u64, taken_bytes: u64, now: Instant) -> Answer {
        self.latest = Some(now);
        if let Some(Place { demand, stage: Stage::Lapsed, .. }) = self.places.get(&number) {
            self.join(number, *demand, true, now);
        }
        match self.places.get_mut(&number).map(|place| &mut place.stage) {
            Some(Stage::Admitted { taken_bytes: taken, .. }) => {
                *taken += taken_bytes;
                Answer::Admitted
            }
            Some(Stage::PutOff(retry_after)) => {
                Answer::PutOff { retry_after: *retry_after, waiting: self.waiting.len() }
            }
            _ => Answer::Wait,
        }
    }

    pub(super) fn is_waiting(&self, number: u64) -> bool {
        matches!(self.places.get(&number), Some(Place { stage: Stage::Waiting { .. }, .. }))
    }

    /// A client has everything, or is gone.
    pub(super) fn leave(&mut self, number: u64) {
        match self.places.remove(&number) {
            Some(Place { share_bytes, stage: Stage::Admitted { .. }, .. }) => self.release(share_bytes),
            Some(Place { share_bytes, stage: Stage::Waiting { turn, .. }, .. }) => {
                self.waiting.remove(&turn);
                self.waiting_bytes -= share_bytes;
            }
            _ => {}
        }
        if let Some(now) = self.latest {
            self.call(now);
        }
    }

    /// Time has passed.
    pub(super) fn look(&mut self, now: Instant) {
        self.latest = Some(now);
        if !self.waiting.is_empty() {
            self.lapse(now);
            self.lose_patience(now);
        }
        self.pace.look(now, !self.waiting.is_empty());
        self.call(now);
    }

    /// Those whose answer has changed since this was last asked for.
    pub(super) fn take_called(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.called)
    }

    pub(super) fn status(&self) -> AdmissionStatus {
        let waiting = |need| self.waiting.keys().filter(|turn| turn.need == need).count();
        AdmissionStatus {
            budget_bytes: self.limits.budget_bytes,
            used_bytes: self.used_bytes,
            waiting_resumes: waiting(Need::Resume),
            waiting_repairs: waiting(Need::Repair),
            waiting_snapshots: waiting(Need::Snapshot),
            ..self.totals
        }
    }

    fn join(&mut self, number: u64, demand: Demand, has_begun: bool, now: Instant) {
        let (need, put_off, arrival) = (demand.need, Reverse(demand.put_off), self.next_arrival);
        let turn = Turn { has_begun: Reverse(has_begun), need, put_off, arrival };
        self.next_arrival += 1;
        let share_bytes = demand.bytes.min(self.limits.share_bytes).min(self.limits.budget_bytes);
        self.waiting.insert(turn, number);
        self.waiting_bytes += share_bytes;
        self.places.insert(number, Place { demand, share_bytes, stage: Stage::Waiting { turn, since: now } });
        self.call(now);
    }

    /// Admits who is next, for as long as there is room.
    fn call(&mut self, now: Instant) {
        while let Some((&turn, &number)) = self.waiting.first_key_value()
            && let Some(place) = self.places.get_mut(&number)
            && self.used_bytes + place.share_bytes <= self.limits.budget_bytes
        {
            place.stage = Stage::Admitted { since: now, taken_bytes: 0 };
            self.used_bytes += place.share_bytes;
            self.waiting_bytes -= place.share_bytes;
            self.waiting.remove(&turn);
            self.called.push(number);
            match place.demand.need {
                Need::Resume => self.totals.admitted_resumes += 1,
                Need::Repair => self.totals.admitted_repairs += 1,
                Need::Snapshot => self.totals.admitted_snapshots += 1,
            }
            self.totals.peak_bytes = self.totals.peak_bytes.max(self.used_bytes);
        }
    }

    fn release(&mut self, share_bytes: u64) {
        self.used_bytes -= share_bytes;
        self.pace.freed(share_bytes);
    }

    /// Takes their shares from those who did not use them.
    fn lapse(&mut self, now: Instant) {
        let mut freed = Vec::new();
        for place in self.places.values_mut() {
            if let Stage::Admitted { since, taken_bytes } = &mut place.stage
                && now.saturating_duration_since(*since) >= self.limits.window
            {
                if *taken_bytes >= place.share_bytes {
                    (*since, *taken_bytes) = (now, 0);
                } else {
                    place.stage = Stage::Lapsed;
                    freed.push(place.share_bytes);
                }
            }
        }
        self.totals.lapsed += freed.len() as u64;
        let freed_bytes = freed.iter().sum::<u64>();
        for bytes in freed {
            self.release(bytes);
        }
        // With half of the budget in the hands of those who hang, what was measured is not the pace of the others.
        if freed_bytes * 2 >= self.limits.budget_bytes {
            self.pace = Pace::default();
        }
    }

    /// Puts off those who waited for too long. Who was sent a part already would have to take it again, and waits on.
    fn lose_patience(&mut self, now: Instant) {
        let is_too_long = |place: &Place| match place.stage {
            Stage::Waiting { turn, since } => {
                !turn.has_begun.0 && now.saturating_duration_since(since) >= self.limits.patience
            }
            _ => false,
        };
        let numbers = self.waiting.values().copied();
        let impatient: Vec<_> = numbers.filter(|number| self.places.get(number).is_some_and(is_too_long)).collect();
        // All leave before any is told a time: they do not wait for each other.
        for number in &impatient {
            self.step_out(*number);
        }
        for number in impatient {
            self.send_away(number, now);
        }
    }

    fn put_off(&mut self, number: u64, now: Instant) {
        self.step_out(number);
        self.send_away(number, now);
    }

    fn step_out(&mut self, number: u64) {
        let Some(Place { share_bytes, stage: Stage::Waiting { turn, .. }, .. }) = self.places.get(&number) else {
            return;
        };
        self.waiting.remove(turn);
        self.waiting_bytes -= share_bytes;
    }

    /// Tells who has stepped out when to return.
    fn send_away(&mut self, number: u64, now: Instant) {
        let Some(place) = self.places.get_mut(&number) else { return };
        let retry_after = self.pace.book(self.waiting_bytes, place.share_bytes, now).unwrap_or(self.limits.retry);
        place.stage = Stage::PutOff(retry_after);
        self.called.push(number);
        self.totals.put_off += 1;
    }

    /// Whether a client would wait for longer than it may, as far as the pace is known.
    fn is_hopeless(&self, number: u64) -> bool {
        let Some(Place { stage: Stage::Waiting { turn, .. }, .. }) = self.places.get(&number) else { return false };
        // Most come last. In a storm there are thousands ahead of each of them, and nobody behind.
        let others = self.waiting.range(turn..).filter_map(|(_, number)| self.places.get(number));
        let ahead_bytes = self.waiting_bytes - others.map(|place| place.share_bytes).sum::<u64>();
        self.pace.time_for(ahead_bytes).is_some_and(|wait| wait > self.limits.patience)
    }
}
