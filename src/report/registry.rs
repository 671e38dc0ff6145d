//! Registries that a project need not have: where its own is missing, the tool's stands in for it.

use super::{Code, Diag};
use crate::contract::Contract;
use crate::contract::files::Files;
use crate::contract::load::{self, LoadError, Loaded};
use std::path::Path;

/// A registry as the tool carries it.
#[derive(Clone, Copy, Debug)]
pub struct Carried {
    /// Where projects have theirs, relative to the current folder.
    pub path: &'static str,
    /// The document.
    pub text: &'static str,
    /// What it lists, for messages: `WIT packages`.
    pub lists: &'static str,
}

impl Carried {
    /// Reads the registry at `path`, and says whether it is the tool's own: that one is taken when
    /// `path` is the usual one and nothing is there. `notices` gets a diagnostic that says so.
    ///
    /// # Errors
    /// Why the document cannot be used.
    pub fn load<T: Contract>(
        &self,
        files: &mut Files,
        path: &Path,
        notices: &mut Vec<Diag>,
    ) -> (Result<Loaded<T>, LoadError>, bool) {
        match files.load::<T>(path) {
            Err(LoadError::Read(error)) if error.is_missing() && path == Path::new(self.path) => {
                notices.push(self.used());
                files.record_builtin(self.path, self.text.as_bytes());
                (load::from_bytes(self.path, self.text.as_bytes()), true)
            }
            loaded => (loaded, false),
        }
    }

    /// The diagnostic that says that it was used.
    #[must_use]
    pub fn used(&self) -> Diag {
        let message = format!("there is no {}, so the {} built into x07-wasm are used", self.path, self.lists);
        Diag::new(Code::RegistryBuiltinUsed, message).data("index", format!("builtin:{}", self.path))
    }
}
