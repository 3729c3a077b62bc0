//! Where values stand on an axis, and which of them are written beside it.

/// About this many lines across a plot.
const TICKS: f64 = 4.0;

/// From 0 to a round number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// The end of the axis.
    pub(super) max: f64,
    step: f64,
}

impl Scale {
    /// An axis that a greatest value fits on.
    pub(super) fn of(greatest: f64) -> Self {
        let greatest = if greatest > 0.0 && greatest.is_finite() { greatest } else { 1.0 };
        let rough = greatest / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|nice| nice * power).find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        Self { max: (greatest / step).ceil() * step, step }
    }

    /// Round numbers from 0 to the end, as they are written.
    pub(super) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        let (step, count) = (self.step, (self.max / self.step).round() as u32);
        (0..=count).map(move |tick| {
            let value = f64::from(tick) * step;
            (value, format!("{value:.decimals$}"))
        })
    }

    /// The part of the axis before a value.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        (value / self.max).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        let ticks = |greatest| Scale::of(greatest).ticks().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(ticks(7.3), ["0", "2", "4", "6", "8"]);
        assert_eq!(ticks(0.031), ["0.00", "0.01", "0.02", "0.03", "0.04"]);
        assert_eq!(ticks(0.0), ["0.0", "0.5", "1.0"]);
        assert_eq!(ticks(1000.0).last().map(String::as_str), Some("1000"));
    }
}
