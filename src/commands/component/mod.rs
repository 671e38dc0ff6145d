//! The commands on components. What they do is in [`crate::component`], [`crate::wit`] and the engine.

mod build;
mod compose;
mod profile_validate;
mod run;
mod targets;
