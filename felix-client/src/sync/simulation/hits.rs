//! How often each point was come to.

use super::point::Point;

/// A count for each point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hits([u64; Point::ALL.len()]);

impl Default for Hits {
    fn default() -> Self {
        Self([0; Point::ALL.len()])
    }
}

impl Hits {
    pub(super) fn hit(&mut self, point: Point) {
        self.0[point as usize] += 1;
    }

    pub(super) fn of(&self, point: Point) -> u64 {
        self.0[point as usize]
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (times, more) in self.0.iter_mut().zip(other.0) {
            *times += more;
        }
    }

    /// Points that were never come to.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        Point::ALL.iter().filter(|point| self.of(**point) == 0).map(|point| point.words()).collect()
    }
}
