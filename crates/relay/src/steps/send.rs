//! Attempts: a call is sent to one replica, and to others as long as not a byte of an answer was passed on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use keisan_route::{Blocks, Code, Refusal};

use crate::connection::{AskFault, Outgoing, Source};
use crate::exchange::{Admission, Exchange, Routing};
use crate::gateway::{Gateway, RequestBytes};
use crate::hold::Hold;
use crate::http1::AnswerHead;
use crate::record_id::RecordId;
use crate::replica::{Replica, Seat};
use crate::snapshot::Model;
use crate::steps::meter::OpenCall;
use crate::steps::route::{Calling, refuse_model_down, route_again};
use crate::trace::TraceWords;
use crate::upstream_body::{UpstreamBody, UpstreamFault};

/// A request that ends every engine it meets must not end them all.
const ATTEMPTS_MAX: usize = 3;

/// Why an attempt brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttemptFault {
    Lost,
    Timeout,
}

impl AttemptFault {
    const fn code(self) -> Code {
        match self {
            Self::Lost => Code::EngineLost,
            Self::Timeout => Code::EngineTimeout,
        }
    }
}

/// What every attempt sends.
#[derive(Debug)]
pub struct Plan {
    pub gateway: Arc<Gateway>,
    pub model: Arc<Model>,
    pub is_stream: bool,
    pub is_usage_wanted: bool,
    request_id: RecordId,
    path: &'static str,
    body: Vec<u8>,
    prompt: Blocks,
    prompt_tokens: u64,
    /// The body counts as in flight until the engine has answered to it.
    _booked: RequestBytes,
}

/// The beginning of an engine's answer.
#[derive(Debug)]
pub struct Answered {
    pub head: AnswerHead,
    pub upstream: UpstreamBody,
    /// Of a stream: until these came, another replica could be asked.
    pub first: Option<Bytes>,
}

impl Plan {
    pub fn new(exchange: &Exchange, admission: Admission) -> (Self, Hold) {
        let Admission { model, is_stream, is_usage_wanted, body, prompt, prompt_tokens, booked, hold, .. } = admission;
        let plan = Self {
            gateway: Arc::clone(&exchange.gateway),
            model,
            is_stream,
            is_usage_wanted,
            request_id: exchange.request_id,
            path: exchange.surface.path(),
            body,
            prompt,
            prompt_tokens,
            _booked: booked,
        };
        (plan, hold)
    }

    pub const fn calling(&self) -> Calling<'_> {
        Calling { prompt: &self.prompt, prompt_tokens: self.prompt_tokens }
    }

    fn outgoing<'a>(&'a self, replica: &Replica, trace: TraceWords<'a>) -> Outgoing<'a> {
        let additions = replica.profile.dialect.additions(self.is_stream);
        let body = [&self.body, additions.as_bytes(), b"}"];
        Outgoing { path: self.path, request_id: self.request_id, body, trace }
    }
}

/// Tries the replica that has the seat, then others, as long as no byte of an answer came.
pub async fn send(plan: &Plan, call: &mut OpenCall, mut routing: Routing) -> Result<Answered, Refusal> {
    for attempts_left in (0..ATTEMPTS_MAX).rev() {
        let Routing { seat, others, dispatched, .. } = routing;
        call.begin_attempt(&seat.replica, dispatched);
        let station = Arc::clone(&seat.replica.station);
        station.circuit.begin();
        let fault = match attempt(plan, call, seat).await {
            Ok(answered) => {
                call.trace.note_answer(answered.head.status);
                return Ok(answered);
            }
            Err(fault) => fault,
        };
        call.trace.fail_attempt(fault.code());
        station.circuit.fail(plan.gateway.now_ns());
        // A stream that is slow to begin may be quicker elsewhere; an answer that is written as a whole takes its time.
        let may_go_on = attempts_left > 0 && (fault == AttemptFault::Lost || (plan.is_stream && !others.is_empty()));
        if !may_go_on {
            return Err(if fault == AttemptFault::Timeout { refuse_slow() } else { refuse_model_down(&plan.model) });
        }
        plan.gateway.metrics.retries.add(1);
        routing = route_again(&plan.gateway, (&plan.model, plan.calling()), others).await?;
    }
    Err(refuse_model_down(&plan.model))
}

fn refuse_slow() -> Refusal {
    Refusal::new(Code::EngineTimeout, "the model's engine did not begin to answer in time")
}

/// One attempt, from the request to the head of an answer, and of a stream to its first bytes.
async fn attempt(plan: &Plan, call: &mut OpenCall, seat: Seat) -> Result<Answered, AttemptFault> {
    let deadline = tokio::time::Instant::now() + plan.gateway.first_byte_timeout();
    let begun = tokio::time::timeout_at(deadline, begin(plan, call, seat)).await;
    begun.unwrap_or(Err(AttemptFault::Timeout))
}

async fn begin(plan: &Plan, call: &mut OpenCall, seat: Seat) -> Result<Answered, AttemptFault> {
    let (head, source) = ask(plan, call, &seat.replica).await?;
    let mut upstream = UpstreamBody::new(source, seat, plan.gateway.stream_idle_timeout());
    if !plan.is_stream || !head.is_event_stream() {
        return Ok(Answered { head, upstream, first: None });
    }
    match upstream.next().await {
        Some(Ok(first)) => Ok(Answered { head, upstream, first: Some(first) }),
        Some(Err(UpstreamFault::Idle)) => Err(AttemptFault::Timeout),
        Some(Err(UpstreamFault::Lost)) | None => Err(AttemptFault::Lost),
    }
}

async fn ask(plan: &Plan, call: &mut OpenCall, replica: &Replica) -> Result<(AnswerHead, Source), AttemptFault> {
    let pool = &replica.station.pool;
    call.note_sent(plan.outgoing(replica, TraceWords::default()).body_bytes());
    let outgoing = plan.outgoing(replica, call.trace.tell());
    if let Some(connection) = pool.take(replica.lifetime()) {
        match connection.ask(replica, &outgoing).await {
            // The other side may have closed it just when it was taken; a new one tells (R14).
            Err(AskFault::Lost) => plan.gateway.metrics.retries.add(1),
            answered => return answered.map_err(|fault| count_fault(plan, fault)),
        }
    }
    let timeout = Duration::from_secs(plan.gateway.limits().upstream_connect_timeout_s);
    let connection = pool.open(&replica.row.upstream, timeout, &plan.gateway.cork).await.map_err(|fault| {
        plan.gateway.metrics.dial_faults.count(fault);
        AttemptFault::Lost
    })?;
    connection.ask(replica, &outgoing).await.map_err(|fault| count_fault(plan, fault))
}

fn count_fault(plan: &Plan, fault: AskFault) -> AttemptFault {
    plan.gateway.metrics.door_refusals.add(u64::from(fault == AskFault::Refused));
    AttemptFault::Lost
}
