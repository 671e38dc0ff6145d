//! A mistake in the text of a WIT package, with its place.

use crate::contract::json::position::{LineIndex, Position};
use crate::report::{Code, Diag};
use wit_parser::{SourceMap, Span};

/// What is wrong with a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitProblem {
    /// What is wrong, without the place.
    pub message: String,
    /// The file and the place in it, where one is to blame.
    pub place: Option<(String, Position)>,
}

impl WitProblem {
    /// A problem of the package as a whole.
    pub(super) fn of_package(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None }
    }

    /// A problem at a place of a text.
    pub(super) fn at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Self {
        let place = Some((file.to_owned(), LineIndex::new(text).position(offset)));
        Self { message: message.into(), place }
    }

    /// A problem that the parser found; `texts` are the files of `map` by the names that it has.
    pub(super) fn found<'t>(
        map: &SourceMap,
        texts: impl IntoIterator<Item = &'t (String, String)>,
        span: Span,
        message: &str,
    ) -> Self {
        // Some messages of the parser have several lines, for example with what it knows instead.
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(location) = map.resolve_span(span) else { return Self::of_package(message) };
        match texts.into_iter().find(|(name, _)| name == location.path) {
            Some((name, text)) => Self::at(name, text, location.range.start, message),
            None => Self::of_package(message),
        }
    }

    /// The diagnostic; `what` names the package and says what failed.
    #[must_use]
    pub fn diagnose(&self, code: Code, what: &str) -> Diag {
        match &self.place {
            Some((file, at)) => Diag::new(code, format!("{file}:{}:{}: {what}: {}", at.line, at.column, self.message))
                .data("file", file.as_str())
                .at_text(file, *at),
            None => Diag::new(code, format!("{what}: {}", self.message)),
        }
    }
}
