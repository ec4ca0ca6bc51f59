//! Step 6: what the call consumed, written once. A call is a value: it is settled, or dropped and thereby abandoned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use keisan_route::{Code, Dispatched, Quantities, Refusal, Surface, compute_amount_nano};

use crate::dialect::Dialect;
use crate::exchange::Exchange;
use crate::federation::Crossing;
use crate::gateway::Gateway;
use crate::hold::Hold;
use crate::record::{Outcome, UsageRecord};
use crate::record_id::RecordId;
use crate::replica::Replica;
use crate::snapshot::{GuestTicket, Key, Model, Snapshot};
use crate::spool::{PARTS_MAX, Part};
use crate::steps::send::Plan;
use crate::trace::{CallTrace, Ended};
use crate::usage::{Usage, UsageSource};

/// nginx's word for "the client closed the connection before the answer".
const STATUS_CLIENT_CLOSED: u16 = 499;

/// How a call ends.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    pub outcome: Outcome,
    pub status: u16,
    pub code: Option<Code>,
}

impl Ending {
    pub const COMPLETED: Self = Self { outcome: Outcome::Completed, status: 200, code: None };

    pub const fn failed(outcome: Outcome, code: Code) -> Self {
        Self { outcome, status: code.status(), code: Some(code) }
    }
}

/// An admitted call that has not ended. It ends exactly once: by `settle`, or by being dropped.
#[derive(Debug)]
pub struct OpenCall {
    gateway: Arc<Gateway>,
    record_id: RecordId,
    key: Arc<Key>,
    model: Arc<Model>,
    replica: Arc<Replica>,
    /// The prompt's part of the replica's backlog, until the first byte.
    dispatched: Option<Dispatched>,
    surface: Surface,
    is_stream: bool,
    arrived: Instant,
    admitted_at_ms: u64,
    request_bytes: u64,
    response_bytes: u64,
    events: u64,
    first_byte: Option<Instant>,
    sent: Option<Instant>,
    last_upstream: Option<Instant>,
    is_answering: bool,
    is_client_gone: Arc<AtomicBool>,
    hold: Option<Hold>,
    guest: Option<Arc<GuestTicket>>,
    /// Of a model that other platforms offer.
    snapshot: Option<Arc<Snapshot>>,
    pub usage: Usage,
    pub trace: CallTrace,
}

impl OpenCall {
    /// Opens the call of an admitted exchange; `hold` is what was taken for it. It stays in one place in memory while it
    /// is handed from step to step.
    pub fn open(exchange: &Exchange, plan: &Plan, replica: &Arc<Replica>, hold: Hold) -> Box<Self> {
        exchange.gateway.open_calls.fetch_add(1, Ordering::AcqRel);
        Box::new(Self {
            gateway: Arc::clone(&exchange.gateway),
            record_id: exchange.request_id,
            key: Arc::clone(&exchange.key),
            model: Arc::clone(&plan.model),
            replica: Arc::clone(replica),
            dispatched: None,
            surface: exchange.surface,
            is_stream: plan.is_stream,
            arrived: exchange.arrived,
            admitted_at_ms: exchange.arrived_at_ms,
            request_bytes: 0,
            response_bytes: 0,
            events: 0,
            first_byte: None,
            sent: None,
            last_upstream: None,
            is_answering: false,
            is_client_gone: Arc::new(AtomicBool::new(false)),
            hold: Some(hold),
            guest: exchange.guest.clone(),
            snapshot: plan.model.has_offers().then(|| Arc::clone(&exchange.snapshot)),
            usage: Usage::default(),
            trace: CallTrace::open(&exchange.trace, exchange.arrived),
        })
    }

    pub const fn record_id(&self) -> RecordId {
        self.record_id
    }

    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    pub fn dialect(&self) -> Dialect {
        self.replica.profile.dialect
    }

    /// Set by whoever notices that nobody reads the answer any more.
    pub fn client_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_client_gone)
    }

    /// Notes which replica has the call now.
    pub fn begin_attempt(&mut self, replica: &Arc<Replica>, dispatched: Dispatched) {
        self.replica = Arc::clone(replica);
        self.trace.begin_attempt(&replica.id);
        self.dispatched = Some(dispatched);
    }

    /// Notes that a request left for the engine.
    pub fn note_sent(&mut self, bytes: usize) {
        self.request_bytes = bytes as u64;
        self.sent.get_or_insert_with(Instant::now);
    }

    /// Notes that the engine said something.
    pub fn note_upstream(&mut self) {
        self.last_upstream = Some(Instant::now());
        self.dispatched = None;
    }

    /// Notes bytes on their way to the client.
    pub fn note_delivered(&mut self, bytes: usize, events: u64) {
        self.is_answering = true;
        self.response_bytes += bytes as u64;
        self.events += events;
        if self.first_byte.is_none() && bytes > 0 {
            self.first_byte = Some(Instant::now());
        }
    }

    /// Ends the call. An error means that its record is not written: the client must not see the call complete.
    pub fn settle(mut self: Box<Self>, ending: Ending) -> Result<(), Refusal> {
        self.write_record(ending)
    }

    fn write_record(&mut self, mut ending: Ending) -> Result<(), Refusal> {
        let Some(hold) = self.hold.take() else {
            return Ok(());
        };
        if self.is_client_gone.load(Ordering::Acquire) && ending.outcome == Outcome::Completed {
            ending.outcome = Outcome::ClientClosed;
        }
        self.judge_replica(ending);
        let (quantities, usage_source) = self.usage.conclude();
        let amount_nano = self.price(&quantities);
        let own = self.encode_record((ending, usage_source), (&quantities, amount_nano), hold.ticket_id());
        let (is_within, room) = hold.settle(amount_nano, quantities.sum());
        self.gateway.metrics.over_reserved.add(u64::from(!is_within));
        let written = room.write(&self.list_parts(), &own);
        self.observe(ending, &quantities);
        self.end_trace(ending, (&quantities, usage_source));
        written.map_err(|_| {
            self.gateway.metrics.records_failed.add(1);
            Refusal::new(Code::MeteringFailed, "the call could not be metered, so its answer is withheld")
        })
    }

    /// A replica's health is seen by what comes of its calls, not by probes alone. One that could not be reached was
    /// judged where it was tried.
    fn judge_replica(&self, ending: Ending) {
        let circuit = &self.replica.station.circuit;
        match (ending.outcome, ending.code) {
            (Outcome::Completed, _) => circuit.succeed(),
            (Outcome::EngineCut, Some(_)) | (Outcome::EngineRefused, Some(Code::EngineError)) => {
                circuit.fail(self.gateway.now_ns());
            }
            // A cut without a code is a defect of our own.
            (Outcome::EngineCut | Outcome::ClientClosed | Outcome::EngineRefused, _) => circuit.abandon(),
            (Outcome::EngineUnreachable, _) => {}
        }
    }

    fn price(&self, quantities: &Quantities) -> u128 {
        compute_amount_nano(quantities, &self.model.price).unwrap_or_else(|_| {
            // The platform refuses a price sheet without input and output, so this is its defect: nothing is billed.
            self.gateway.metrics.unpriced.add(1);
            0
        })
    }

    fn list_parts(&self) -> [&Part; PARTS_MAX] {
        [&self.gateway.record_part, &self.key.record_part, &self.model.record_part, &self.replica.record_part]
    }

    fn encode_record(
        &self,
        (ending, usage_source): (Ending, UsageSource),
        (quantities, amount_nano): (&Quantities, u128),
        ticket_id: Option<&str>,
    ) -> Vec<u8> {
        let record = UsageRecord {
            record_id: self.record_id,
            surface: self.surface.name(),
            is_stream: self.is_stream,
            admitted_at_ms: self.admitted_at_ms,
            duration_us: count_us(self.arrived.elapsed()),
            first_byte_us: self.first_byte.map(|first| count_us(first.duration_since(self.arrived))),
            outcome: ending.outcome,
            http_status: ending.status,
            usage_source,
            quantities: *quantities,
            amount_nano,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
            events: self.events,
            ticket_id,
            crossing: self.describe_crossing(),
        };
        record.encode()
    }

    /// At home it names who serves, at the other end whose customer it is; both name the ticket that pays between them.
    fn describe_crossing(&self) -> Option<Crossing<'_>> {
        let own_id = self.gateway.options.platform_id.as_str();
        if let Some(guest) = &self.guest {
            return Some(Crossing { home: &guest.home_id, serving: own_id, ticket: &guest.id });
        }
        let serving = self.replica.row.offer.as_ref()?.platform_id.as_str();
        let ticket = self.snapshot.as_ref()?.neighbours.find_spending(&self.key.organization_id, serving)?;
        Some(Crossing { home: own_id, serving, ticket: &ticket.id })
    }

    fn observe(&self, ending: Ending, quantities: &Quantities) {
        let metrics = &self.gateway.metrics;
        let elapsed = self.arrived.elapsed();
        metrics.count_call(ending.outcome, ending.code, quantities);
        self.model.times.observe(self.surface, elapsed, ending.code.is_some());
        if let Some(first) = self.first_byte {
            let time = first.duration_since(self.arrived);
            metrics.first_byte.observe(time);
            if self.is_stream && ending.code.is_none() {
                self.model.times.observe_first_token(self.surface, time);
            }
        }
        if let (Some(sent), Some(last)) = (self.sent, self.last_upstream) {
            let with_engine = last.saturating_duration_since(sent);
            metrics.overhead.observe(elapsed.saturating_sub(with_engine));
        }
    }

    fn end_trace(&mut self, ending: Ending, (quantities, usage_source): (&Quantities, UsageSource)) {
        let ended = Ended {
            surface: self.surface,
            model: &self.model.name,
            record_id: self.record_id,
            replica_id: &self.replica.id,
            organization_id: &self.key.organization_id,
            ending,
            quantities,
            usage_source,
        };
        self.trace.finish(&self.gateway.tracer, &ended);
    }

    /// How a call ends that nobody ended: its client went away, or a defect unwound its task.
    fn abandon(&self) -> Ending {
        if std::thread::panicking() {
            return Ending { outcome: Outcome::EngineCut, status: 500, code: None };
        }
        let status = if self.is_answering { 200 } else { STATUS_CLIENT_CLOSED };
        Ending { outcome: Outcome::ClientClosed, status, code: None }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if self.hold.is_some() {
            // Nobody is left to tell: a record that cannot be written is counted.
            let _ = self.write_record(self.abandon());
        }
        self.gateway.open_calls.fetch_sub(1, Ordering::AcqRel);
    }
}

fn count_us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
