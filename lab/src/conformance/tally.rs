//! How many cells were checked, and which of them disagree.

/// Failures that are shown per case; the rest is counted.
const SHOWN_PER_CASE: usize = 12;

/// What came of one case, or of several.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Cells that were decided.
    pub checked: usize,
    /// Cells that could not be decided by this run.
    pub skipped: usize,
    /// Cells with at least one failure.
    pub failed: usize,
    /// What disagrees.
    pub failures: Vec<Failure>,
}

/// One thing that is not as it must be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The step of the case, from 1.
    pub step: usize,
    /// What is wrong, in words.
    pub what: String,
}

impl Tally {
    /// Counts one cell that was decided, with what is wrong about it.
    pub fn count(&mut self, failures: impl IntoIterator<Item = Failure>) {
        let before = self.failures.len();
        self.failures.extend(failures);
        self.checked += 1;
        self.failed += usize::from(self.failures.len() > before);
    }

    /// Counts the cells of another tally, but does not keep their failures.
    pub fn add_counts(&mut self, other: &Self) {
        self.checked += other.checked;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }

    /// The failures in lines, at most a dozen.
    pub fn report(&self) -> String {
        let mut lines: Vec<String> = self
            .failures
            .iter()
            .take(SHOWN_PER_CASE)
            .map(|failure| format!("    step {}: {}", failure.step, failure.what))
            .collect();
        if let Some(more) = self.failures.len().checked_sub(SHOWN_PER_CASE).filter(|more| *more > 0) {
            lines.push(format!("    and {more} more"));
        }
        lines.join("\n")
    }
}
