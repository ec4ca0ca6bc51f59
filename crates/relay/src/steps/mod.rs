//! The six steps of a call, in order: accept, authenticate, admit, route, relay, meter.
//! `answer` and `stream` are the two bodies that relay hands out.

pub mod accept;
pub mod admit;
pub mod answer;
pub mod authenticate;
pub mod meter;
pub mod relay;
pub mod route;
pub mod send;
pub mod stream;
