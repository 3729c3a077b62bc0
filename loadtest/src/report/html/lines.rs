//! A plot over time.

use std::fmt;

use super::scale::Scale;

/// The drawing's size in its own units; it is scaled to the column it stands in.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 230.0;
/// Room for the axes' writing.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 28.0;

/// Series over one axis of time.
pub(super) struct Lines {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) series: Vec<Series>,
}

/// A named line with gaps.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// Seconds, and a value where there is one.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<figure>\n<figcaption><b>{}</b> <i>{}</i>", self.title, self.unit)?;
        if self.series.len() > 1 {
            for (number, series) in self.series.iter().enumerate() {
                writeln!(f, "<span class=\"key s{number}\">{}</span>", series.name)?;
            }
        }
        writeln!(
            f,
            "</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.title
        )?;
        let points = || self.series.iter().flat_map(|series| &series.points);
        let values = Scale::of(points().filter_map(|(_, value)| *value).fold(0.0, f64::max));
        let times = Scale::of(points().map(|(at, _)| *at).fold(0.0, f64::max));
        let end = points().map(|(at, _)| *at).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        axes(f, &values, &times, end)?;
        for (number, series) in self.series.iter().enumerate() {
            series.draw(f, number, &values, end)?;
        }
        writeln!(f, "</svg>\n</figure>")
    }
}

fn axes(f: &mut fmt::Formatter<'_>, values: &Scale, times: &Scale, end: f64) -> fmt::Result {
    for (value, text) in values.ticks() {
        let (y, right, beside) = (y(values, value), WIDTH - RIGHT, LEFT - 8.0);
        writeln!(f, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>")?;
        writeln!(f, "<text class=\"end\" x=\"{beside}\" y=\"{:.1}\">{text}</text>", y + 4.5)?;
    }
    for (time, text) in times.ticks().filter(|(time, _)| *time <= end) {
        let unit = if time == 0.0 { " s" } else { "" };
        let (x, y) = (x(time, end), HEIGHT - 8.0);
        writeln!(f, "<text class=\"middle\" x=\"{x:.1}\" y=\"{y}\">{text}{unit}</text>")?;
    }
    Ok(())
}

fn x(at: f64, end: f64) -> f64 {
    LEFT + at / end * (WIDTH - LEFT - RIGHT)
}

fn y(values: &Scale, value: f64) -> f64 {
    TOP + (1.0 - values.fraction(value)) * (HEIGHT - TOP - BOTTOM)
}

impl Series {
    fn draw(&self, f: &mut fmt::Formatter<'_>, number: usize, values: &Scale, end: f64) -> fmt::Result {
        write!(f, "<path class=\"line s{number}\" d=\"")?;
        let mut is_drawing = false;
        for (at, value) in &self.points {
            if let Some(value) = value {
                let command = if is_drawing { 'L' } else { 'M' };
                write!(f, "{command}{:.1} {:.1}", x(*at, end), y(values, *value))?;
            }
            is_drawing = value.is_some();
        }
        writeln!(f, "\"/>")?;
        // A value with a gap on either side has no line; all of them tell their value to a pointer.
        for (at, value) in &self.points {
            let Some(value) = value else { continue };
            let (x, y) = (x(*at, end), y(values, *value));
            writeln!(
                f,
                "<circle class=\"s{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"><title>{} {value:.2} at {at:.1} s</title></circle>",
                self.name
            )?;
        }
        Ok(())
    }
}
