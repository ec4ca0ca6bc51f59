//! The relay, keisan's data plane: accept, authenticate, admit, route, relay, meter, over one Exchange.
//! A snapshot comes in, usage records go out; no database and no control plane stands on a call's path.

mod arriving_body;
mod batch;
mod body;
mod client_body;
mod clock;
mod connection;
mod cork;
mod credit;
mod currency;
mod dial;
mod dialect;
mod door;
mod door_pool;
mod error;
mod exchange;
mod fast_path;
mod federation;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gateway;
mod handover;
mod health;
mod histogram;
mod hold;
mod http1;
mod idle_timer;
mod limiter;
mod listener;
mod member_text;
mod members;
mod metrics;
mod model_times;
mod models;
mod options;
mod pool;
mod process;
mod purse;
mod quiet;
mod record;
mod record_id;
mod replica;
mod server;
mod serving;
mod share;
mod snapshot;
mod spool;
mod sse;
mod state_metrics;
mod steps;
mod survival;
#[cfg(test)]
mod telemetry_page;
mod threads;
mod tls;
mod trace;
#[cfg(test)]
mod unwinding;
mod unwritten;
mod upstream;
mod upstream_body;
mod usage;

pub use batch::UsageBatch;
pub use door::{Door, DoorOptions, parse_door_options};
pub use federation::CredentialFiles;
pub use options::{CertificateFiles, FederationOptions, Limits, ListenOptions, Options, Place, parse_options};
pub use process::{Relay, RelayFault};
