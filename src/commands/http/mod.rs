//! `http`: the commands around reducers that answer HTTP requests.
//!
//! What they share lives in [`crate::http::reducer`].

mod contracts_validate;
mod regress_from_incident;
mod serve;
mod test;
