//! What the quickstart tells its reader, line by line, as it happens.

use std::time::Duration;

/// Prints a line.
macro_rules! say {
    ($($argument:tt)*) => {
        println!($($argument)*)
    };
}
pub(crate) use say;

/// Opens a chapter.
pub(crate) fn chapter(title: &str) {
    println!("\n== {title}");
}

/// A duration in whole milliseconds, as people compare them.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{:.0} ms", duration.as_secs_f64() * 1e3)
}
