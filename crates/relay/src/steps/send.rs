//! Attempts: a call is sent to one replica, and to others as long as not a byte of an answer was passed on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::HeaderValue;
use keisan_route::{Blocks, Code, HOPS_MAX, Policy, Refusal};

use crate::connection::{AskFault, Outgoing, Source};
use crate::exchange::{Admission, Exchange, Routing};
use crate::federation::CallBlock;
use crate::gateway::{Gateway, RequestBytes};
use crate::hold::Hold;
use crate::http1::AnswerHead;
use crate::record_id::RecordId;
use crate::replica::{Replica, Seat};
use crate::snapshot::{Model, Snapshot};
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
    /// Another platform has the call, and nobody knows how far it came: it must not begin anywhere else.
    LostElsewhere,
    /// Another platform does not serve the call, and says why.
    Told(Code),
}

impl AttemptFault {
    const fn code(self) -> Code {
        match self {
            Self::Lost | Self::LostElsewhere => Code::EngineLost,
            Self::Told(code) => code,
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
    /// What other platforms must know of the call, if the model is offered by any.
    abroad: Option<Box<Abroad>>,
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
        let abroad = model.has_offers().then(|| Box::new(Abroad::new(exchange)));
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
            abroad,
            _booked: booked,
        };
        (plan, hold)
    }

    pub const fn calling(&self) -> Calling<'_> {
        Calling { prompt: &self.prompt, prompt_tokens: self.prompt_tokens }
    }

    /// Nothing for a replica; a fault if there is nothing that another platform could be told.
    fn write_block(&self, replica: &Replica) -> Result<Option<HeaderValue>, AttemptFault> {
        let Some(offer) = &replica.row.offer else { return Ok(None) };
        let block = self.abroad.as_ref().and_then(|abroad| abroad.write_block(self, &offer.platform_id));
        block.map(Some).ok_or(AttemptFault::Told(Code::TicketUnknown))
    }

    fn outgoing<'a>(
        &'a self,
        replica: &Replica,
        (trace, call_block): (TraceWords<'a>, Option<&'a HeaderValue>),
    ) -> Outgoing<'a> {
        let additions = replica.profile.dialect.additions(self.is_stream);
        let body = [&self.body, additions.as_bytes(), b"}"];
        Outgoing { path: self.path, request_id: self.request_id, body, trace, call_block }
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
        match fault {
            // It answers.
            AttemptFault::Told(_) => station.circuit.abandon(),
            _ => station.circuit.fail(plan.gateway.now_ns()),
        }
        // A stream that is slow to begin may be quicker elsewhere; an answer that is written as a whole takes its time.
        let may_go_on = match fault {
            AttemptFault::Lost => true,
            AttemptFault::Timeout => plan.is_stream && !others.is_empty(),
            AttemptFault::Told(code) => code.is_before_serving() && !others.is_empty(),
            AttemptFault::LostElsewhere => false,
        };
        if attempts_left == 0 || !may_go_on {
            return Err(refuse_fault(&plan.model, fault));
        }
        plan.gateway.metrics.retries.add(1);
        routing = route_again(&plan.gateway, (&plan.model, plan.calling()), others).await?;
    }
    Err(refuse_model_down(&plan.model))
}

fn refuse_fault(model: &Model, fault: AttemptFault) -> Refusal {
    match fault {
        AttemptFault::Lost => refuse_model_down(model),
        AttemptFault::Timeout => refuse_slow(),
        AttemptFault::LostElsewhere => {
            Refusal::new(Code::EngineLost, "the platform that had this call was lost before it answered")
        }
        AttemptFault::Told(code) => {
            Refusal::new(code, format!("the platform that was to serve this call says: {}", code.name()))
        }
    }
}

fn refuse_slow() -> Refusal {
    Refusal::new(Code::EngineTimeout, "the model's engine did not begin to answer in time")
}

/// One attempt, from the request to the head of an answer, and of a stream to its first bytes.
async fn attempt(plan: &Plan, call: &mut OpenCall, seat: Seat) -> Result<Answered, AttemptFault> {
    let deadline = tokio::time::Instant::now() + plan.gateway.first_byte_timeout();
    let is_elsewhere = seat.replica.row.offer.is_some();
    let begun = tokio::time::timeout_at(deadline, begin(plan, call, seat)).await;
    let late = if is_elsewhere { AttemptFault::Told(Code::EngineTimeout) } else { AttemptFault::Timeout };
    begun.unwrap_or(Err(late))
}

async fn begin(plan: &Plan, call: &mut OpenCall, seat: Seat) -> Result<Answered, AttemptFault> {
    let lost = if seat.replica.row.offer.is_some() { AttemptFault::LostElsewhere } else { AttemptFault::Lost };
    let (head, source) = ask(plan, call, &seat.replica).await?;
    let mut upstream = UpstreamBody::new(source, seat, plan.gateway.stream_idle_timeout());
    if !plan.is_stream || !head.is_event_stream() {
        return Ok(Answered { head, upstream, first: None });
    }
    match upstream.next().await {
        Some(Ok(first)) => Ok(Answered { head, upstream, first: Some(first) }),
        Some(Err(UpstreamFault::Idle)) => Err(AttemptFault::Timeout),
        Some(Err(UpstreamFault::Lost)) | None => Err(lost),
    }
}

async fn ask(plan: &Plan, call: &mut OpenCall, replica: &Replica) -> Result<(AnswerHead, Source), AttemptFault> {
    let pool = &replica.station.pool;
    let block = plan.write_block(replica)?;
    call.note_sent(plan.outgoing(replica, (TraceWords::default(), None)).body_bytes());
    let outgoing = plan.outgoing(replica, (call.trace.tell(), block.as_ref()));
    if let Some(connection) = pool.take(replica.lifetime()) {
        match connection.ask(replica, &outgoing).await {
            // The other side may have closed it just when it was taken; a new one tells (R14).
            Err(AskFault::Lost) => plan.gateway.metrics.retries.add(1),
            answered => return answered.map_err(|fault| count_fault((plan, replica), fault)),
        }
    }
    let timeout = Duration::from_secs(plan.gateway.limits().upstream_connect_timeout_s);
    let connection = pool.open(&replica.row.upstream, timeout, &plan.gateway.cork).await.map_err(|fault| {
        plan.gateway.metrics.dial_faults.count(fault);
        AttemptFault::Lost
    })?;
    connection.ask(replica, &outgoing).await.map_err(|fault| count_fault((plan, replica), fault))
}

fn count_fault((plan, replica): (&Plan, &Replica), fault: AskFault) -> AttemptFault {
    plan.gateway.metrics.door_refusals.add(u64::from(fault == AskFault::Refused));
    match fault {
        AskFault::Told(Some(code)) => AttemptFault::Told(code),
        // A word of a later version says nothing of what was begun.
        AskFault::Told(None) => AttemptFault::LostElsewhere,
        AskFault::Lost if replica.row.offer.is_some() => AttemptFault::LostElsewhere,
        AskFault::Lost | AskFault::Refused => AttemptFault::Lost,
    }
}

/// What a call brings to another platform.
#[derive(Debug)]
struct Abroad {
    snapshot: Arc<Snapshot>,
    organization_id: String,
    /// Of every layer and of the call: whoever serves it judges them again, on what it is itself.
    policies: Vec<String>,
}

impl Abroad {
    fn new(exchange: &Exchange) -> Self {
        let layers = exchange.key.policies.iter().map(AsRef::as_ref).chain([&exchange.policy]);
        let policies = layers.map(Policy::text).filter(|text| !text.is_empty()).collect();
        Self {
            snapshot: Arc::clone(&exchange.snapshot),
            organization_id: exchange.key.organization_id.clone(),
            policies,
        }
    }

    fn write_block(&self, plan: &Plan, platform_id: &str) -> Option<HeaderValue> {
        let ticket = self.snapshot.neighbours.find_spending(&self.organization_id, platform_id)?;
        let deadline_ms = u64::try_from(plan.gateway.first_byte_timeout().as_millis()).ok()?;
        let block = CallBlock {
            record_id: plan.request_id.as_str().to_owned(),
            home: plan.gateway.options.platform_id.clone(),
            audience: platform_id.to_owned(),
            ticket_id: ticket.id.clone(),
            policies: self.policies.clone(),
            deadline_ms,
            hops_left: HOPS_MAX,
        };
        block.write()
    }
}
