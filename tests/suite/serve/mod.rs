//! `serve`: a component answers requests.
//!
//! | module | promise |
//! |---|---|
//! | `canary` | requests of our own: forms, limits, failures, what is left behind |
//! | `listen` | requests of others: connections, protocols, the end |
//! | `hostile` | clients that want to break the server or keep it from others |
//! | `support` | components of the examples, a server in a process, a client that sends anything |

mod canary;
mod hostile;
mod listen;
mod support;
