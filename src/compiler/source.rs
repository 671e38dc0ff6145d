//! Where sources come from.
//!
//! The compiler opens no file itself: it asks a [`ModuleSource`], which a project, a test or a
//! browser can implement in its own way.

use thiserror::Error;

/// Gives the compiler the text of the entry and of the modules that it asks for.
pub trait ModuleSource {
    /// The program's entry file.
    ///
    /// # Errors
    /// Why there is no text.
    fn entry(&self) -> Result<ModuleText, SourceError>;

    /// The file of the module with this id, for example `app.text`.
    ///
    /// # Errors
    /// Why there is no text.
    fn module(&self, id: &str) -> Result<ModuleText, SourceError>;

    /// The document of the budget profile with this id, in the project's registry of budgets.
    ///
    /// # Errors
    /// Why there is no text. Sources without a registry have none.
    fn budget_profile(&self, id: &str) -> Result<ModuleText, SourceError> {
        Err(SourceError::NotFound { searched: vec![format!("arch/budgets/profiles/{id}.budget.json")] })
    }
}

/// The text of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleText {
    /// How messages name the file; relative to the project.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Why a [`ModuleSource`] has no text to give.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// No file holds the module.
    #[error("not found in any module root")]
    NotFound {
        /// The paths that were tried.
        searched: Vec<String>,
    },
    /// Several module roots hold the module.
    #[error("found in more than one module root")]
    Ambiguous {
        /// The files that were found.
        found: Vec<String>,
    },
    /// Only the s-expression form of the module exists.
    #[error("`{path}` is in the text form, which this compiler does not read")]
    TextForm {
        /// The file.
        path: String,
    },
    /// The file exists but cannot be read.
    #[error("`{path}` cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is larger than the source allows.
    #[error("`{path}` is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: String,
        /// The largest allowed size in bytes.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("`{path}` is not UTF-8 (first wrong byte at offset {offset})")]
    NotUtf8 {
        /// The file.
        path: String,
        /// Offset of the first byte that does not fit.
        offset: usize,
    },
    /// The file is not the one that the lockfile pins.
    #[error("`{path}` has digest {found}, the lockfile says {expected}")]
    DigestMismatch {
        /// The file.
        path: String,
        /// The digest that is pinned.
        expected: String,
        /// The digest of the file.
        found: String,
    },
}
