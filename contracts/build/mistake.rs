//! What can be wrong in `schemas/`: always with file, JSON pointer and cure.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// File name under `schemas/`.
    pub file: String,
    /// RFC 6901 pointer into the file.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub cure: String,
}

impl Mistake {
    pub fn new(
        file: impl Into<String>,
        pointer: impl Into<String>,
        message: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { file: file.into(), pointer: pointer.into(), message: message.into(), cure: cure.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schemas/{}#{}: {}; {}", self.file, self.pointer, self.message, self.cure)
    }
}

/// All mistakes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    pub fn one(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }

    /// `Ok` when there is none.
    pub fn check(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}
