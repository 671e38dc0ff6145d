//! HTTP components: what programs see of requests, what becomes of their outputs, and what hosts
//! survive. The three ways to make a component do the same.
//!
//! | module | promise |
//! |---|---|
//! | `parity` | the bytes of request envelopes, whichever way the component was made |
//! | `responses` | every rule of response envelopes: what is sent, what is refused and as what |
//! | `budgets` | every budget of a component profile, to the byte |
//! | `state_doc` | states that come and go in headers |
//! | `hostile_guests` | components that want to break the host, or keep it from others |
//! | `builds` | the same bytes from every build, the same answers from every request |
//! | `support` | components, hosts, and a client that sends bytes as they are |
//!
//! `program.x07.json` is the program in the components: it does what the path of a request says.

mod budgets;
mod builds;
mod hostile_guests;
mod parity;
mod responses;
mod state_doc;
mod support;
