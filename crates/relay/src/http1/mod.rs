//! HTTP/1.1 towards an engine on a unix socket, in the caller's own task: one write, then reads as bytes are wanted.
//!
//! A general client drives each connection by a task of its own, and every call then wakes two tasks twice; that alone
//! costs more than a plain proxy's whole work. Nothing is read ahead, so a slow client slows its engine down.

mod connection;
mod framing;
mod head;
#[cfg(test)]
mod tests;

#[cfg(feature = "fuzzing")]
pub use framing::{Framing, Misframed};
#[cfg(feature = "fuzzing")]
pub use head::{NoHead, ParsedHead, parse_head};

pub use connection::{EngineConnection, Request};
pub use head::AnswerHead;
