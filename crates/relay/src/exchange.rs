//! One request and its answer: what the steps find out of it, one after the other.

use std::sync::Arc;
use std::time::Instant;

use keisan_route::{Blocks, Dispatched, Policy, Surface};

use crate::clock::read_wall_ms;
use crate::gateway::{Gateway, RequestBytes};
use crate::hold::Hold;
use crate::record_id::RecordId;
use crate::replica::Seat;
use crate::snapshot::{GuestTicket, Key, Model, Snapshot, SpendingTicket};
use crate::trace::TraceContext;

/// A request whose head was read: what the first two steps found out is there for all steps after them.
#[derive(Debug)]
pub struct Exchange {
    // accept
    pub gateway: Arc<Gateway>,
    pub request_id: RecordId,
    pub arrived: Instant,
    pub arrived_at_ms: u64,
    pub surface: Surface,
    /// Pinned for the whole call.
    pub snapshot: Arc<Snapshot>,
    // authenticate
    pub key: Arc<Key>,
    /// What the request itself demands of whoever serves it.
    pub policy: Policy,
    pub trace: TraceContext,
    /// Somebody who may know wants to know how the replica was chosen.
    pub is_explained: bool,
    /// The ticket that stands for the key, of a call of another platform's customer.
    pub guest: Option<Arc<GuestTicket>>,
}

impl Exchange {
    /// What pays for the call at another platform.
    pub fn find_spending(&self, platform_id: &str) -> Option<&Arc<SpendingTicket>> {
        self.snapshot.neighbours.find_spending(&self.key.organization_id, platform_id)
    }
}

/// What was admitted: the engine's body, and what is held for the call.
#[derive(Debug)]
pub struct Admission {
    pub model: Arc<Model>,
    pub is_stream: bool,
    pub is_usage_wanted: bool,
    /// Set if the client named no limit and the model's was sent in its place.
    pub filled_max_tokens: Option<u64>,
    /// The engine's body without its closing brace, so that an engine's own additions can follow.
    pub body: Vec<u8>,
    /// What of the prompt may be warm somewhere.
    pub prompt: Blocks,
    pub prompt_tokens: u64,
    pub booked: RequestBytes,
    pub hold: Hold,
}

/// A seat, and the candidates behind it, best first.
#[derive(Debug)]
pub struct Routing {
    pub seat: Seat,
    pub others: Vec<usize>,
    /// The prompt's part of the replica's backlog.
    pub dispatched: Dispatched,
}

/// What is known of a request before it is authenticated.
#[derive(Debug)]
pub struct Arrival {
    pub gateway: Arc<Gateway>,
    pub request_id: RecordId,
    pub arrived: Instant,
    pub arrived_at_ms: u64,
}

impl Arrival {
    pub fn new(gateway: Arc<Gateway>) -> Self {
        let arrived_at_ms = read_wall_ms();
        Self { gateway, request_id: RecordId::create(arrived_at_ms), arrived: Instant::now(), arrived_at_ms }
    }
}
