//! Decisions on values: what a request asks, which replica serves it, what its tokens cost.
//! No I/O and no clock; the relay and simulations call the same functions.

pub mod affinity;
pub mod backlog;
pub mod block;
pub mod breaker;
pub mod bucket;
pub mod candidate;
pub mod fact;
pub mod forward;
pub mod json;
pub mod message;
pub mod parameter;
pub mod plain;
pub mod policy;
pub mod price;
pub mod rank;
pub mod refusal;
pub mod request;
pub mod reservation;
pub mod score;
pub mod token;

pub use affinity::Affinity;
pub use backlog::{Backlog, Dispatched};
pub use block::Blocks;
pub use breaker::Breaker;
pub use bucket::{Dry, Rate};
pub use candidate::{Candidate, CandidateKind, Exclusion, PolicyVerdict, Verdict};
pub use fact::{Fact, Facts, Grade, Known};
pub use forward::{ForwardedCall, Forwarding, HOPS_MAX, Here, Peer, Side, Way, decide_forward};
pub use policy::{Clause, Judgement, Policy};
pub use price::{PriceFault, PriceSheet, compute_amount_nano};
pub use rank::{CallShape, Standing, explain, rank};
pub use refusal::{Code, Refusal};
pub use request::{CallRequest, Surface, read_request};
pub use reservation::CallBounds;
pub use score::{Score, Tuning};
pub use token::{EngineUsage, Quantities, TokenClass};
