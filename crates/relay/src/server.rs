//! One request, one answer: the six steps in order, and the endpoints beside them. Every request gets an answer.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Response};
use keisan_route::{Code, Refusal, Surface};

use crate::arriving_body::ArrivingBody;
use crate::body::RelayBody;
use crate::cork::Cork;
use crate::error::answer_refusal;
use crate::exchange::{Admission, Arrival, Exchange, Routing};
use crate::gateway::Gateway;
use crate::health::{answer_health, answer_metrics};
use crate::listener::{Bounds, Host};
use crate::models::{get_model, list_models};
use crate::options::Limits;
use crate::snapshot::{Key, Snapshot};
use crate::steps::accept::{Endpoint, discard_body, find_endpoint, read_body};
use crate::steps::admit::admit;
use crate::steps::authenticate::authenticate;
use crate::steps::relay::Relaying;
use crate::steps::route::{read_policy, route};
use crate::survival::Surviving;
use crate::trace::{TraceContext, trace_refusal};

impl Host for Gateway {
    type Body = RelayBody;

    fn answer(self: Arc<Self>, request: Request<ArrivingBody>) -> impl Future<Output = Response<RelayBody>> + Send {
        answer(self, request)
    }

    fn open_connections(&self) -> &AtomicU64 {
        &self.open_connections
    }

    fn note_connection(&self) {
        self.metrics.connections.add(1);
    }

    fn cork(&self) -> &Cork {
        &self.cork
    }

    fn bounds(&self) -> Bounds {
        let Limits { connections_max, head_read_timeout_s, client_idle_timeout_s, drain_idle_timeout_s, .. } =
            *self.limits();
        Bounds { connections_max, head_read_timeout_s, client_idle_timeout_s, drain_idle_timeout_s }
    }
}

/// An administrator who sends this is told how the replica was chosen.
const EXPLAIN: HeaderName = HeaderName::from_static("keisan-explain");
const DECISION: HeaderName = HeaderName::from_static("keisan-decision");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RECORD_ID: HeaderName = HeaderName::from_static("keisan-record-id");
const MAX_TOKENS: HeaderName = HeaderName::from_static("keisan-max-tokens");

/// What the head of a request came to.
enum Opened {
    Answered(Response<RelayBody>),
    Refused(Arc<Gateway>, Refusal, ArrivingBody),
    Call(Box<Exchange>, ArrivingBody),
}

/// Answers a request, whatever it is. Its head is read here and now: what waits keeps no more than what it came to.
fn answer(gateway: Arc<Gateway>, request: Request<ArrivingBody>) -> impl Future<Output = Response<RelayBody>> + Send {
    let arrival = Arrival::new(gateway);
    let request_id = HeaderValue::from_str(arrival.request_id.as_str()).ok();
    let opened = open(arrival, request);
    async move {
        let mut response = match opened {
            Opened::Answered(response) => response,
            Opened::Refused(gateway, refusal, body) => {
                // In a box, as all that few calls have a use for.
                Box::pin(discard_body(body, gateway.limits().body_bytes_max)).await;
                refuse(&gateway, &refusal)
            }
            Opened::Call(exchange, body) => answer_call(exchange, body).await,
        };
        if let Some(id) = request_id {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
}

fn open(arrival: Arrival, request: Request<ArrivingBody>) -> Opened {
    Opened::Answered(match find_endpoint(&request) {
        Ok(Endpoint::Health) => answer_health(&arrival.gateway),
        Ok(Endpoint::Metrics) => answer_metrics(&arrival.gateway),
        Ok(Endpoint::Call(surface)) => return open_call(arrival, surface, request),
        Ok(Endpoint::Models) => answer_models(&arrival, &request, None),
        Ok(Endpoint::Model(name)) => answer_models(&arrival, &request, Some(&name)),
        Err(refusal) => refuse(&arrival.gateway, &refusal),
    })
}

fn refuse(gateway: &Gateway, refusal: &Refusal) -> Response<RelayBody> {
    gateway.metrics.count_refusal(refusal.code);
    answer_refusal(refusal)
}

fn answer_models(arrival: &Arrival, request: &Request<ArrivingBody>, name: Option<&str>) -> Response<RelayBody> {
    let answered = identify(arrival, request).and_then(|(snapshot, key)| match name {
        Some(name) => get_model(&key, &snapshot, name),
        None => Ok(list_models(&key, &snapshot)),
    });
    answered.unwrap_or_else(|refusal| refuse(&arrival.gateway, &refusal))
}

fn identify(arrival: &Arrival, request: &Request<ArrivingBody>) -> Result<(Arc<Snapshot>, Arc<Key>), Refusal> {
    let Some(snapshot) = arrival.gateway.snapshot() else {
        return Err(Refusal::new(Code::NotReady, "this gateway has no snapshot yet"));
    };
    let key = authenticate(request.headers(), &snapshot)?;
    Ok((snapshot, key))
}

fn open_call(arrival: Arrival, surface: Surface, request: Request<ArrivingBody>) -> Opened {
    let gateway = Arc::clone(&arrival.gateway);
    match read_head(arrival, surface, &request) {
        Ok(exchange) => Opened::Call(Box::new(exchange), request.into_body()),
        Err(refusal) => Opened::Refused(gateway, refusal, request.into_body()),
    }
}

fn read_head(arrival: Arrival, surface: Surface, request: &Request<ArrivingBody>) -> Result<Exchange, Refusal> {
    let (snapshot, key) = identify(&arrival, request)?;
    let headers = request.headers();
    let policy = read_policy(headers)?;
    let Arrival { gateway, request_id, arrived, arrived_at_ms } = arrival;
    let trace = TraceContext::read(&gateway.tracer, headers, request_id);
    let is_explained = key.can_explain && headers.contains_key(EXPLAIN);
    Ok(Exchange {
        gateway,
        request_id,
        arrived,
        arrived_at_ms,
        surface,
        snapshot,
        key,
        policy,
        trace,
        is_explained,
        guest: None,
    })
}

/// Rides on an answer that is a refusal of ours, for those who ask from another platform.
#[derive(Clone, Copy, Debug)]
pub struct Told(pub Code);

pub async fn answer_call(exchange: Box<Exchange>, body: ArrivingBody) -> Response<RelayBody> {
    match place_call(&exchange, body).await {
        Ok((admission, routing, explanation)) => {
            let notes = Notes { filled_max_tokens: admission.filled_max_tokens, explanation };
            let relaying = Relaying::new(&exchange, admission, routing);
            drop(exchange);
            relay_call(relaying, notes).await
        }
        Err(Refused { refusal, explanation }) => {
            let asked = (exchange.surface, exchange.key.organization_id.as_str());
            trace_refusal(&exchange.gateway.tracer, (&exchange.trace, exchange.arrived), asked, &refusal);
            let refusal = name_for_guest(&exchange, refusal);
            let mut response = refuse(&exchange.gateway, &refusal);
            explain(&mut response, explanation);
            response
        }
    }
}

/// The credit of another platform's customer is what its ticket has left.
fn name_for_guest(exchange: &Exchange, mut refusal: Refusal) -> Refusal {
    if exchange.guest.is_some() && refusal.code == Code::InsufficientCredit {
        refusal.code = Code::TicketSpent;
    }
    refusal
}

fn explain(response: &mut Response<RelayBody>, explanation: Option<HeaderValue>) {
    if let Some(explanation) = explanation {
        response.headers_mut().insert(DECISION, explanation);
    }
}

/// Why a call is not forwarded, and how its replicas stood if that was asked.
struct Refused {
    refusal: Refusal,
    explanation: Option<HeaderValue>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, explanation: None }
    }
}

/// What a client is told beside the answer.
struct Notes {
    filled_max_tokens: Option<u64>,
    explanation: Option<HeaderValue>,
}

/// Reads the body, admits and routes: up to here nothing was forwarded, and a refusal leaves no record.
async fn place_call(
    exchange: &Exchange,
    body: ArrivingBody,
) -> Result<(Admission, Routing, Option<HeaderValue>), Refused> {
    let body_bytes_max = exchange.key.body_bytes_max(exchange.gateway.limits().body_bytes_max);
    let (body, booked) = read_body(&exchange.gateway, body, body_bytes_max).await?;
    let admission = admit(exchange, &body, booked).await?;
    drop(body);
    match route(exchange, &admission).await {
        (Ok(routing), explanation) => Ok((admission, routing, explanation)),
        (Err(refusal), explanation) => Err(Refused { refusal, explanation }),
    }
}

/// Relay and meter.
async fn relay_call(relaying: Relaying, notes: Notes) -> Response<RelayBody> {
    let record_id = HeaderValue::from_str(relaying.call.record_id().as_str()).ok();
    let answered = if relaying.is_stream() {
        Box::pin(relaying.run()).await
    } else {
        let flag = relaying.call.client_flag();
        let time = Duration::from_secs(relaying.call.gateway().limits().drain_after_client_s);
        Surviving::new(relaying.run(), flag, time).await
    };
    let mut response = answered.unwrap_or_else(|refusal| answer_refusal(&refusal));
    let headers = response.headers_mut();
    if let Some(id) = record_id {
        headers.insert(RECORD_ID, id);
    }
    if let Some(tokens) = notes.filled_max_tokens {
        headers.insert(MAX_TOKENS, HeaderValue::from(tokens));
    }
    explain(&mut response, notes.explanation);
    response
}
