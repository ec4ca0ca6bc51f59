//! Calls through a real relay: a real client on TCP, a scripted engine on a unix socket, records read from the spool.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod answers;
mod certificate;
mod credit;
mod door_connections;
mod door_faults;
mod doors;
mod doorway;
mod draining;
mod engine;
mod explanations;
mod failures;
mod guests;
mod leaks;
mod limits;
mod listening;
mod metrics;
mod passes;
mod peer;
mod policies;
mod readers;
mod refusals;
mod secrecy;
mod stage;
mod streams;
mod traces;
