//! Diagnostics of many requests, without letting a report grow with their number.

use crate::report::{Code, Diag};
use std::collections::BTreeMap;

/// Diagnostics of one code that are kept.
const MAX_OF_A_CODE: u64 = 100;

/// Diagnostics in the order in which they arose; of each code the first hundred, and the number of
/// the others.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Diag>,
    counts: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Adds one.
    pub fn push(&mut self, diag: Diag) {
        let count = self.counts.entry(name(&diag)).or_default();
        *count += 1;
        if *count <= MAX_OF_A_CODE {
            self.kept.push(diag);
        }
    }

    /// Adds several.
    pub fn extend(&mut self, diags: impl IntoIterator<Item = Diag>) {
        diags.into_iter().for_each(|diag| self.push(diag));
    }

    /// How many are not kept.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.counts.values().map(|count| count.saturating_sub(MAX_OF_A_CODE)).sum()
    }

    /// The diagnostics for the report. The last of a code says how many more there were.
    #[must_use]
    pub fn finish(self) -> Vec<Diag> {
        let Self { kept, mut counts } = self;
        let mut finished: Vec<Diag> = Vec::with_capacity(kept.len());
        for diag in kept.into_iter().rev() {
            let count = counts.remove(name(&diag)).unwrap_or_default();
            let more = count.saturating_sub(MAX_OF_A_CODE);
            finished.push(match more {
                0 => diag,
                _ => diag.data("not_listed", more).note(format!("{more} more of this code are not listed")),
            });
        }
        finished.reverse();
        finished
    }
}

fn name(diag: &Diag) -> &'static str {
    diag.code().map_or("", Code::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_code_are_kept_in_order_and_the_others_counted() {
        let mut findings = Findings::default();
        for n in 0..150 {
            findings.push(Diag::new(Code::HttpServeStdinJsonInvalid, format!("line {n}")));
            if n % 100 == 0 {
                findings.push(Diag::new(Code::HttpReducerCallFailed, format!("call {n}")));
            }
        }
        assert_eq!(findings.omitted(), 50);
        let list: Vec<_> = findings.finish().into_iter().map(Diag::build).collect();
        assert_eq!(list.len(), 102);
        assert_eq!((list[0].message.as_str(), list[1].message.as_str()), ("line 0", "call 0"));
        let (last, before) = (&list[100], &list[99]);
        assert_eq!((last.message.as_str(), before.notes.is_none()), ("line 99", true));
        assert_eq!(last.data.as_ref().map(|data| data["not_listed"].clone()), Some(50.into()));
        assert!(list[101].data.is_none(), "call 100 is listed whole");
    }
}
