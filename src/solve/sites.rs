//! The table of source places that a module carries.

use crate::compiler::emit::sites::SiteTable;
use crate::wasm;

/// The module's table of source places, if it has a valid one.
#[must_use]
pub fn site_table(bytes: &[u8]) -> Option<SiteTable> {
    let range = wasm::inspect(bytes).ok()?.sites?;
    let section = bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
    SiteTable::read(section).ok()
}
