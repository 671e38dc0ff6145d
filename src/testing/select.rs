//! Which tests the command line means.

use super::manifest::{Manifest, Test};

/// What the command line says about the tests to take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection<'a> {
    /// A text that ids must contain.
    pub filter: Option<&'a str>,
    /// Whether an id must be that text.
    pub exact: bool,
    /// Which kinds of tests.
    pub kinds: Kinds,
}

/// Kinds of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kinds {
    /// Tests of one input.
    #[default]
    Single,
    /// Property tests.
    Property,
    /// Both.
    All,
}

impl Selection<'_> {
    /// The selected tests, in the order of the manifest.
    #[must_use]
    pub fn of<'m>(&self, manifest: &'m Manifest) -> Vec<&'m Test> {
        manifest.tests.iter().filter(|test| self.takes(test)).collect()
    }

    fn takes(&self, test: &Test) -> bool {
        let kind = match self.kinds {
            Kinds::Single => test.property.is_none(),
            Kinds::Property => test.property.is_some(),
            Kinds::All => true,
        };
        let named = match self.filter {
            None => true,
            Some(text) if self.exact => test.id == text,
            Some(text) => test.id.contains(text),
        };
        kind && named
    }
}
