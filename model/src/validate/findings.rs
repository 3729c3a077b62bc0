//! Problems and warnings as they are found, each at the place that is being looked at.

use super::{FieldPath, Problem, Report, Segment};

/// Collects findings on a walk through a document.
#[derive(Default)]
pub(super) struct Findings {
    /// Where the walk is.
    path: FieldPath,
    report: Report,
}

impl Findings {
    /// Looks at a field of the current object.
    pub(super) fn field(&mut self, name: &str, look: impl FnOnce(&mut Self)) {
        self.step(Segment::Field(name.to_owned()), look);
    }

    /// Looks at an item of the current list.
    pub(super) fn index(&mut self, index: usize, look: impl FnOnce(&mut Self)) {
        self.step(Segment::Index(index), look);
    }

    fn step(&mut self, segment: Segment, look: impl FnOnce(&mut Self)) {
        self.path.0.push(segment);
        look(self);
        self.path.0.pop();
    }

    /// Something wrong here.
    pub(super) fn problem(&mut self, reason: impl Into<String>) {
        self.report.problems.push(Problem { path: self.path.clone(), reason: reason.into() });
    }

    /// Something wrong in a field of the current object.
    pub(super) fn problem_in(&mut self, field: &str, reason: impl Into<String>) {
        self.field(field, |here| here.problem(reason));
    }

    /// Something to tell about here.
    pub(super) fn warning(&mut self, reason: impl Into<String>) {
        self.report.warnings.push(Problem { path: self.path.clone(), reason: reason.into() });
    }

    /// Something to tell about a field of the current object.
    pub(super) fn warning_in(&mut self, field: &str, reason: impl Into<String>) {
        self.field(field, |here| here.warning(reason));
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }
}
