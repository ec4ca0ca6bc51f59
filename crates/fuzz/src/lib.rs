//! Properties of the parsers that read foreign bytes. Each is a function that panics on an input that breaks it.
//! libFuzzer searches for such an input (`make fuzz`); every run of the tests replays the inputs that are kept here.

mod answer;
mod event;
mod members;
mod usage;
mod usual;

pub mod http1;
pub mod inputs;
pub mod policy;
pub mod request;
pub mod snapshot;
pub mod stream;
