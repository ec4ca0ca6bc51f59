//! Step 5: the request goes to the replica, its answer to the client. Before a response byte, another may be tried.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use keisan_route::{Code, Refusal};

use crate::body::RelayBody;
use crate::connection::Connection;
use crate::dialect::View;
use crate::door::DOOR_CODE;
use crate::exchange::{Admission, Exchange, Routing};
use crate::gateway::{Gateway, RequestBytes};
use crate::record::Outcome;
use crate::record_id::RecordId;
use crate::replica::{Replica, Seat};
use crate::snapshot::Model;
use crate::steps::answer::relay_answer;
use crate::steps::meter::{Ending, OpenCall};
use crate::steps::route::{refuse_model_down, route_again};
use crate::steps::stream::StreamBody;
use crate::upstream::{DoorPlace, Upstream};
use crate::upstream_body::UpstreamBody;

/// A request that ends every engine it meets must not end them all.
const ATTEMPTS_MAX: usize = 3;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why an attempt brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttemptFault {
    /// Not a byte of an answer came.
    Lost,
    /// The door is there, but nothing of an engine came through it: another connection to it would not help.
    Refused,
    Timeout,
}

/// What every attempt sends.
#[derive(Debug)]
struct Plan {
    gateway: Arc<Gateway>,
    model: Arc<Model>,
    request_id: RecordId,
    path: &'static str,
    is_stream: bool,
    is_usage_wanted: bool,
    body: Vec<u8>,
    /// The body counts as in flight until the engine has answered to it.
    _booked: RequestBytes,
}

/// The beginning of an engine's answer.
struct Sent {
    response: Response<Incoming>,
    connection: Connection,
    seat: Seat,
}

/// An admitted and routed call, ready to go.
#[derive(Debug)]
pub struct Relaying {
    pub call: OpenCall,
    plan: Plan,
    routing: Routing,
}

impl Relaying {
    pub fn new(exchange: &Exchange, admission: Admission, routing: Routing) -> Self {
        let Admission { model, is_stream, is_usage_wanted, body, booked, hold, .. } = admission;
        let replica = Arc::clone(&routing.seat.replica);
        let call = OpenCall::open(exchange, Arc::clone(&model), replica, (is_stream, hold));
        let plan = Plan {
            gateway: Arc::clone(&exchange.gateway),
            model,
            request_id: exchange.request_id,
            path: exchange.surface.path(),
            is_stream,
            is_usage_wanted,
            body,
            _booked: booked,
        };
        Self { call, plan, routing }
    }

    pub const fn is_stream(&self) -> bool {
        self.plan.is_stream
    }

    /// Sends the request and returns the answer as it begins.
    pub async fn run(self) -> Result<Response<RelayBody>, Refusal> {
        let Self { mut call, plan, routing } = self;
        let sent = match send(&plan, &mut call, routing).await {
            Ok(sent) => sent,
            Err(refusal) => {
                let is_timeout = refusal.code == Code::EngineTimeout;
                let outcome = if is_timeout { Outcome::EngineCut } else { Outcome::EngineUnreachable };
                call.settle(Ending::failed(outcome, refusal.code))?;
                return Err(refusal);
            }
        };
        call.note_upstream();
        let (head, incoming) = sent.response.into_parts();
        let idle_max = plan.gateway.stream_idle_timeout();
        let view = View::new(plan.is_usage_wanted, &plan.model.name);
        let upstream = UpstreamBody::new(incoming, (sent.connection, sent.seat), idle_max);
        if head.status.is_success() && plan.is_stream && is_event_stream(&head.headers) {
            let body = StreamBody::new(upstream, call, view);
            return Ok(build_response(&head.headers, RelayBody::Stream(Box::new(body))));
        }
        let body = relay_answer(upstream, call, (head.status.as_u16(), view)).await?;
        Ok(build_response(&head.headers, body))
    }
}

/// Tries the replica that has the seat, then others, as long as no byte of an answer came.
async fn send(plan: &Plan, call: &mut OpenCall, mut routing: Routing) -> Result<Sent, Refusal> {
    for _ in 1..ATTEMPTS_MAX {
        match attempt(plan, call, &routing.seat).await {
            Ok((response, connection)) => {
                return Ok(Sent { response, connection, seat: routing.seat });
            }
            Err(AttemptFault::Timeout) => return Err(refuse_slow()),
            Err(AttemptFault::Lost | AttemptFault::Refused) => {}
        }
        plan.gateway.metrics.retries.add(1);
        drop(routing.seat);
        routing = route_again(&plan.gateway, &plan.model, routing.others).await?;
        call.set_replica(Arc::clone(&routing.seat.replica));
    }
    match attempt(plan, call, &routing.seat).await {
        Ok((response, connection)) => Ok(Sent { response, connection, seat: routing.seat }),
        Err(AttemptFault::Timeout) => Err(refuse_slow()),
        Err(AttemptFault::Lost | AttemptFault::Refused) => Err(refuse_model_down(&plan.model)),
    }
}

fn refuse_slow() -> Refusal {
    Refusal::new(Code::EngineTimeout, "the model's engine did not begin to answer in time")
}

async fn attempt(
    plan: &Plan,
    call: &mut OpenCall,
    seat: &Seat,
) -> Result<(Response<Incoming>, Connection), AttemptFault> {
    let replica = &seat.replica;
    let pool = &replica.station.pool;
    let body = finish_body(&plan.body, replica.profile.dialect.additions(plan.is_stream));
    call.note_sent(body.len());
    if let Some(connection) = pool.take(replica.lifetime()) {
        match request_on(connection, plan, build_request(plan, replica, body.clone())).await {
            // The other side may have closed it just when it was taken; a new one tells (R14).
            Err(AttemptFault::Lost) => plan.gateway.metrics.retries.add(1),
            done => return done,
        }
    }
    let timeout = Duration::from_secs(plan.gateway.limits().upstream_connect_timeout_s);
    let connection = pool.open(&replica.row.upstream, timeout).await.map_err(|_| AttemptFault::Lost)?;
    request_on(connection, plan, build_request(plan, replica, body)).await
}

fn finish_body(base: &[u8], additions: &str) -> Bytes {
    let mut body = Vec::with_capacity(base.len() + additions.len() + 2);
    body.extend_from_slice(base);
    if !additions.is_empty() {
        body.push(b',');
        body.extend_from_slice(additions.as_bytes());
    }
    body.push(b'}');
    Bytes::from(body)
}

async fn request_on(
    mut connection: Connection,
    plan: &Plan,
    request: Request<Full<Bytes>>,
) -> Result<(Response<Incoming>, Connection), AttemptFault> {
    match tokio::time::timeout(plan.gateway.first_byte_timeout(), connection.send(request)).await {
        Ok(Ok(response)) if is_from_door(&connection, &response) => Err(AttemptFault::Refused),
        Ok(Ok(response)) => Ok((response, connection)),
        Ok(Err(_)) => Err(AttemptFault::Lost),
        Err(_) => Err(AttemptFault::Timeout),
    }
}

/// Tells that a door answered in an engine's place. One that finds a body too large speaks to the client.
fn is_from_door(connection: &Connection, response: &Response<Incoming>) -> bool {
    let is_door = matches!(connection, Connection::Door(_)) && response.headers().contains_key(&DOOR_CODE);
    is_door && response.status() != StatusCode::PAYLOAD_TOO_LARGE
}

fn build_request(plan: &Plan, replica: &Replica, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = hyper::Method::POST;
    if let (Upstream::Door { place, path }, Some(secret)) = (&replica.row.upstream, &replica.row.door_secret) {
        *request.uri_mut() = build_door_uri(place, path, plan.path);
        request.headers_mut().insert(AUTHORIZATION, secret.header());
    } else {
        *request.uri_mut() = Uri::from_static(plan.path);
        request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
    }
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(id) = HeaderValue::from_str(plan.request_id.as_str()) {
        headers.insert("x-request-id", id);
    }
    request
}

fn build_door_uri(place: &DoorPlace, path: &str, surface: &str) -> Uri {
    let mut parts = hyper::http::uri::Parts::default();
    parts.scheme = Scheme::try_from(place.scheme()).ok();
    parts.authority = place.authority();
    parts.path_and_query = PathAndQuery::try_from(format!("{path}{surface}")).ok();
    // Both were tried when the snapshot was read.
    Uri::from_parts(parts).unwrap_or_default()
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// An answer with nothing of the engine's head but the kind of its content.
fn build_response(engine: &HeaderMap, body: RelayBody) -> Response<RelayBody> {
    let mut response = Response::new(body);
    let kind = engine.get(CONTENT_TYPE).cloned().unwrap_or(JSON);
    if matches!(response.body(), RelayBody::Stream(_)) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
