//! Percentiles as bars, ours above the floor's.

use std::fmt;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 230.0;
/// Room for names on the left and figures behind the longest bar.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 82.0;
/// A bar's height.
const BAR: f64 = 13.0;

/// Bars of one unit.
pub(super) struct Bars {
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    pub(super) rows: Vec<Row>,
}

/// A figure and the floor's.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) ours: f64,
    pub(super) floor: Option<f64>,
}

impl fmt::Display for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "<figure>\n<figcaption><b>{}</b> <i>{}</i>", self.title, self.unit)?;
        if self.rows.iter().any(|row| row.floor.is_some()) {
            writeln!(f, "<span class=\"key s0\">typha</span>\n<span class=\"key floor\">plain sockets</span>")?;
        }
        writeln!(
            f,
            "</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            self.title
        )?;
        let greatest = self.rows.iter().map(|row| row.ours.max(row.floor.unwrap_or_default())).fold(0.0, f64::max);
        let greatest = greatest.max(f64::MIN_POSITIVE);
        let room = HEIGHT / self.rows.len().max(1) as f64;
        for (place, row) in self.rows.iter().enumerate() {
            let middle = room * (place as f64 + 0.5);
            writeln!(f, "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>", LEFT - 8.0, middle + 4.5, row.name)?;
            match row.floor {
                None => bar(f, "s0", row.ours / greatest, row.ours, middle - BAR / 2.0)?,
                Some(floor) => {
                    bar(f, "s0", row.ours / greatest, row.ours, middle - BAR - 1.0)?;
                    bar(f, "floor", floor / greatest, floor, middle + 1.0)?;
                }
            }
        }
        writeln!(f, "</svg>\n</figure>")
    }
}

fn bar(f: &mut fmt::Formatter<'_>, class: &str, part: f64, value: f64, top: f64) -> fmt::Result {
    // A bar of nothing is a hair, so that one sees where it begins.
    let width = (part * (WIDTH - LEFT - RIGHT)).max(1.0);
    writeln!(
        f,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\"/>"
    )?;
    let (x, y) = (LEFT + width + 6.0, top + BAR - 2.0);
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 1000.0) };
    writeln!(f, "<text x=\"{x:.1}\" y=\"{y:.1}\">{value:.decimals$}</text>")
}
