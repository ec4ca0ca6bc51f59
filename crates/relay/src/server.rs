//! One request, one answer: the six steps in order, and the endpoints beside them. Every request gets an answer.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, Response};
use keisan_route::{Code, Refusal, Surface};

use crate::body::RelayBody;
use crate::error::answer_refusal;
use crate::exchange::{Arrival, Exchange};
use crate::gateway::{Gateway, RequestBytes};
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

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<RelayBody> {
        answer(self, request).await
    }

    fn open_connections(&self) -> &AtomicU64 {
        &self.open_connections
    }

    fn note_connection(&self) {
        self.metrics.connections.add(1);
    }

    fn bounds(&self) -> Bounds {
        let Limits { connections_max, head_read_timeout_s, client_idle_timeout_s, drain_idle_timeout_s, .. } =
            *self.limits();
        Bounds { connections_max, head_read_timeout_s, client_idle_timeout_s, drain_idle_timeout_s }
    }
}

/// An administrator who sends this is told how the replica was chosen.
const EXPLAIN_HEADER: &str = "keisan-explain";

/// Answers a request, whatever it is.
async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<RelayBody> {
    let arrival = Arrival::new(gateway);
    let request_id = HeaderValue::from_str(arrival.request_id.as_str()).ok();
    let mut response = match find_endpoint(&request) {
        Ok(Endpoint::Health) => answer_health(&arrival.gateway),
        Ok(Endpoint::Metrics) => answer_metrics(&arrival.gateway),
        Ok(Endpoint::Call(surface)) => answer_call(arrival, surface, request).await,
        Ok(Endpoint::Models) => answer_models(&arrival, &request, None),
        Ok(Endpoint::Model(name)) => answer_models(&arrival, &request, Some(&name)),
        Err(refusal) => refuse(&arrival.gateway, &refusal),
    };
    if let Some(id) = request_id {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

fn refuse(gateway: &Gateway, refusal: &Refusal) -> Response<RelayBody> {
    gateway.metrics.count_refusal(refusal.code);
    answer_refusal(refusal)
}

fn answer_models(arrival: &Arrival, request: &Request<Incoming>, name: Option<&str>) -> Response<RelayBody> {
    let answered = identify(arrival, request).and_then(|(snapshot, key)| match name {
        Some(name) => get_model(&key, &snapshot, name),
        None => Ok(list_models(&key, &snapshot)),
    });
    answered.unwrap_or_else(|refusal| refuse(&arrival.gateway, &refusal))
}

fn identify(arrival: &Arrival, request: &Request<Incoming>) -> Result<(Arc<Snapshot>, Arc<Key>), Refusal> {
    let Some(snapshot) = arrival.gateway.snapshot() else {
        return Err(Refusal::new(Code::NotReady, "this gateway has no snapshot yet"));
    };
    let key = authenticate(request.headers(), &snapshot)?;
    Ok((snapshot, key))
}

async fn answer_call(arrival: Arrival, surface: Surface, request: Request<Incoming>) -> Response<RelayBody> {
    let gateway = Arc::clone(&arrival.gateway);
    match prepare_call(arrival, surface, request).await {
        Ok((relaying, notes)) => relay_call(relaying, notes).await,
        Err(Refused { refusal, explanation }) => {
            let mut response = refuse(&gateway, &refusal);
            explain(&mut response, explanation);
            response
        }
    }
}

fn explain(response: &mut Response<RelayBody>, explanation: Option<HeaderValue>) {
    if let Some(explanation) = explanation {
        response.headers_mut().insert("keisan-decision", explanation);
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

/// Accept, authenticate, admit, route: up to here nothing was forwarded, and a refusal leaves no record.
async fn prepare_call(
    arrival: Arrival,
    surface: Surface,
    request: Request<Incoming>,
) -> Result<(Relaying, Notes), Refused> {
    let identified = identify(&arrival, &request);
    let (head, body) = request.into_parts();
    let (snapshot, key) = match identified {
        Ok(identified) => identified,
        Err(refusal) => {
            discard_body(body, arrival.gateway.limits().body_bytes_max).await;
            return Err(refusal.into());
        }
    };
    let policy = read_policy(&head.headers)?;
    let trace = TraceContext::read(&arrival.gateway.tracer, &head.headers, arrival.request_id);
    let is_explained = key.can_explain && head.headers.contains_key(EXPLAIN_HEADER);
    let body_bytes_max = key.body_bytes_max(arrival.gateway.limits().body_bytes_max);
    let (body, booked) = read_body(&arrival, body, body_bytes_max).await?;
    let Arrival { gateway, request_id, arrived, arrived_at_ms } = arrival;
    let mut exchange = Exchange {
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
        admission: None,
    };
    let placed = place_call(&mut exchange, (body, booked)).await;
    placed.inspect_err(|Refused { refusal, .. }| {
        let asked = (exchange.surface, exchange.key.organization_id.as_str());
        trace_refusal(&exchange.gateway.tracer, (&exchange.trace, exchange.arrived), asked, refusal);
    })
}

async fn place_call(
    exchange: &mut Exchange,
    (body, booked): (Bytes, RequestBytes),
) -> Result<(Relaying, Notes), Refused> {
    admit(exchange, &body, booked).await?;
    drop(body);
    let Some(admission) = exchange.admission.take() else {
        return Err(Refusal::new(Code::MeteringFailed, "the call was not admitted").into());
    };
    let (routing, explanation) = match route(exchange, &admission).await {
        (Ok(routing), explanation) => (routing, explanation),
        (Err(refusal), explanation) => return Err(Refused { refusal, explanation }),
    };
    let notes = Notes { filled_max_tokens: admission.filled_max_tokens, explanation };
    Ok((Relaying::new(exchange, admission, routing), notes))
}

/// Relay and meter.
async fn relay_call(relaying: Relaying, notes: Notes) -> Response<RelayBody> {
    let record_id = HeaderValue::from_str(relaying.call.record_id().as_str()).ok();
    let answered = if relaying.is_stream() {
        relaying.run().await
    } else {
        let flag = relaying.call.client_flag();
        let time = Duration::from_secs(relaying.call.gateway().limits().drain_after_client_s);
        Surviving::new(relaying.run(), flag, time).await
    };
    let mut response = answered.unwrap_or_else(|refusal| answer_refusal(&refusal));
    let headers = response.headers_mut();
    if let Some(id) = record_id {
        headers.insert("keisan-record-id", id);
    }
    if let Some(tokens) = notes.filled_max_tokens {
        headers.insert("keisan-max-tokens", HeaderValue::from(tokens));
    }
    explain(&mut response, notes.explanation);
    response
}
