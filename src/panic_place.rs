//! Remembers where a panic came from, so that the report of it can say so.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Gives access to the place of the last panic of this thread.
#[derive(Debug)]
pub struct Place(());

impl Place {
    /// `file:line`, once.
    #[must_use]
    pub fn take(&self) -> Option<String> {
        PLACE.with_borrow_mut(Option::take)
    }
}

/// Replaces the message that a panic prints by a note of its place.
pub fn install() -> Place {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            PLACE.with_borrow_mut(|p| *p = info.location().map(|l| format!("{}:{}", l.file(), l.line())));
        }));
    });
    Place(())
}
