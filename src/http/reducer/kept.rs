//! The steps that are kept of a request, whose number and size are a matter of the reducer.

use super::size::Size;
use super::steps::Step;

/// What the steps of a trace take at most. A reader of documents takes 64 MiB, 400 000 values and 256
/// levels; an incident has the step that failed beside its trace.
pub const MOST: Size = Size { bytes: 16 << 20, values: 300_000, levels: 256 };
/// Levels around a step in an incident, where it stands deepest: the document, its trace, the list.
const AROUND: u64 = 3;

/// The first steps of a request, and the last.
#[derive(Debug, Default)]
pub struct Steps {
    kept: Vec<Step>,
    size: Size,
    /// The newest one, if it is not among those that are kept.
    newest: Option<Step>,
    left_out: usize,
}

impl Steps {
    /// Adds a step. Once one does not fit, none after it is kept: a trace with a gap could not be told
    /// from one that is wrong.
    pub fn push(&mut self, step: Step) {
        let size = self.size.and(Size::of(&step.env, AROUND + 1)).and(Size::of(&step.frame, AROUND + 1));
        if self.left_out == 0 && size.fits(MOST) {
            self.size = size;
            self.kept.push(step);
        } else {
            self.left_out += 1;
            self.newest = Some(step);
        }
    }

    /// The steps that are kept, from the first on.
    #[must_use]
    pub fn kept(&self) -> &[Step] {
        &self.kept
    }

    /// What they take in a file.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// The last step.
    #[must_use]
    pub fn last(&self) -> Option<&Step> {
        self.newest.as_ref().or_else(|| self.kept.last())
    }

    /// How many steps there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept.len() + self.left_out
    }

    /// How many of them are not kept.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The steps that are kept.
    #[must_use]
    pub fn into_kept(self) -> Vec<Step> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn step(number: u32, size: usize) -> Step {
        Step { env: json!(number), frame: json!("x".repeat(size)) }
    }

    #[test]
    fn what_fits_is_kept_and_the_last_one_is_known() {
        let mut steps = Steps::default();
        assert_eq!((steps.last(), steps.count(), steps.left_out()), (None, 0, 0));
        for (number, size) in [(0, 1), (1, 10 << 20), (2, 10 << 20), (3, 1)] {
            steps.push(step(number, size));
            assert_eq!(steps.last().map(|last| &last.env), Some(&json!(number)));
        }
        assert_eq!((steps.count(), steps.left_out(), steps.kept().len()), (4, 2, 2));
        assert!(steps.size().fits(MOST));
        assert_eq!(steps.into_kept().len(), 2);
    }

    #[test]
    fn many_small_values_and_deep_ones_are_too_much_as_well() {
        let mut steps = Steps::default();
        steps.push(Step { env: json!(vec![0; 300_000]), frame: Value::Null });
        assert_eq!(steps.left_out(), 1);
        let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| json!([inner]));
        let mut steps = Steps::default();
        steps.push(Step { env: Value::Null, frame: nested(252) });
        assert_eq!(steps.left_out(), 0);
        steps.push(Step { env: Value::Null, frame: nested(253) });
        assert_eq!(steps.left_out(), 1);
    }
}
