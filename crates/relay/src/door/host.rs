//! What a door answers: the way to its replicas for gateways, its health for anyone, its numbers for gateways.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioExecutor;
use hyper_util::server::conn::auto::Builder;
use keisan_route::{Code, Refusal};
use serde::Serialize;

use crate::arriving_body::ArrivingBody;
use crate::cork::Cork;
use crate::dial::DialFaults;
use crate::door::DOOR_CODE;
use crate::door::access::AccessFile;
use crate::door::body::DoorBody;
use crate::door::forward::{find_target, forward};
use crate::door::options::DoorOptions;
use crate::door_pool::{PING_TIME, PING_TIMEOUT};
use crate::error::format_refusal;
use crate::listener::{Bounds, Host, Welcome};
use crate::metrics::{Counter, Text};

/// What of an answer may wait at the door for a gateway that does not read, beside the gateway's window.
const SEND_BYTES_MAX: usize = 64 * 1024;
/// What of a request may wait at the door for its engine. A long prompt then crosses any distance in few round trips;
/// engines read at once, so it is seldom held.
const REQUEST_WINDOW_BYTES: u32 = 1 << 20;
/// What of all requests of a connection may wait: sixteen whose engines do not read, before they hold up others.
const REQUESTS_WINDOW_BYTES: u32 = 16 << 20;

/// A gateway may wait as long as its own client does, and then cuts the call itself.
const CLIENT_IDLE_TIMEOUT_S: u64 = 3_600;
/// Gateways speak HTTP/2 to a door, which needs no pause to be closed.
const DRAIN_IDLE_TIMEOUT_S: u64 = 0;

/// The state of one door process.
#[derive(Debug)]
pub struct DoorHost {
    pub options: DoorOptions,
    pub access: AccessFile,
    cork: Cork,
    pub is_draining: AtomicBool,
    pub open_calls: AtomicU64,
    pub open_connections: AtomicU64,
    calls: Counter,
    lost: Counter,
    connections: Counter,
    refusals: [Counter; Code::ALL.len()],
    pub dial_faults: DialFaults,
}

/// A call as long as it is under way.
#[derive(Debug)]
pub struct OpenCall(Arc<DoorHost>);

impl OpenCall {
    pub fn open(host: &Arc<DoorHost>) -> Self {
        host.calls.add(1);
        host.open_calls.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(host))
    }

    pub fn note_loss(&self) {
        self.0.lost.add(1);
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.open_calls.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Serialize)]
struct Stats<'a> {
    status: &'a str,
    /// Why nobody is let in, if the access file is at fault.
    access_fault: Option<String>,
    open_calls: u64,
    open_connections: u64,
    calls: u64,
    lost: u64,
    connections: u64,
}

impl DoorHost {
    pub fn new(options: DoorOptions) -> Self {
        Self {
            access: AccessFile::new(options.access_path.clone()),
            cork: Cork::new(options.listen.worker_threads),
            options,
            is_draining: AtomicBool::new(false),
            open_calls: AtomicU64::new(0),
            open_connections: AtomicU64::new(0),
            calls: Counter::default(),
            lost: Counter::default(),
            connections: Counter::default(),
            refusals: std::array::from_fn(|_| Counter::default()),
            dial_faults: DialFaults::default(),
        }
    }

    fn status(&self) -> &'static str {
        if self.is_draining.load(Ordering::Relaxed) { "draining" } else { "ok" }
    }

    pub fn format_stats(&self) -> String {
        let stats = Stats {
            status: self.status(),
            access_fault: self.access.fault(),
            open_calls: self.open_calls.load(Ordering::Relaxed),
            open_connections: self.open_connections.load(Ordering::Relaxed),
            calls: self.calls.get(),
            lost: self.lost.get(),
            connections: self.connections.get(),
        };
        // Texts and numbers always serialize.
        serde_json::to_string(&stats).unwrap_or_default()
    }

    /// Says nothing that a stranger may not know.
    fn answer_health(&self) -> Response<DoorBody> {
        let mut response = answer_json(format!("{{\"status\":\"{}\"}}", self.status()));
        if self.is_draining.load(Ordering::Relaxed) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }

    fn answer_metrics(&self) -> Response<DoorBody> {
        let mut text = Text::default();
        let open_calls = self.open_calls.load(Ordering::Relaxed);
        let open_connections = self.open_connections.load(Ordering::Relaxed);
        for (name, kind, about, value) in [
            ("keisan_door_open_calls", "gauge", "Calls under way.", open_calls),
            ("keisan_door_open_connections", "gauge", "Connections that are open.", open_connections),
            ("keisan_door_calls_total", "counter", "Calls passed to an engine.", self.calls.get()),
            ("keisan_door_lost_total", "counter", "Answers whose engine was lost.", self.lost.get()),
            ("keisan_door_connections_total", "counter", "Connections accepted.", self.connections.get()),
        ] {
            text.single(name, kind, about, value);
        }
        text.describe("keisan_door_refusals_total", "counter", "Requests that no engine answered, by code.");
        for (code, counter) in Code::ALL.iter().zip(&self.refusals).filter(|(_, counter)| counter.get() > 0) {
            text.line("keisan_door_refusals_total", &format!("code=\"{}\"", code.name()), counter.get());
        }
        self.dial_faults.write(&mut text, "keisan_door_dial_failures_total");
        let mut response = Response::new(DoorBody::Own(Bytes::from(text.finish())));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response
    }

    fn refuse(&self, refusal: &Refusal) -> Response<DoorBody> {
        self.refusals[refusal.code as usize].add(1);
        let mut response = answer_json(format_refusal(refusal));
        *response.status_mut() =
            StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(DOOR_CODE, HeaderValue::from_static(refusal.code.name()));
        response
    }
}

fn answer_json(text: String) -> Response<DoorBody> {
    let mut response = Response::new(DoorBody::Own(Bytes::from(text)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

impl Host for DoorHost {
    type Body = DoorBody;
    /// Else those without a secret could take up all connections.
    const CLOSES_STRANGERS: bool = true;

    async fn answer(self: Arc<Self>, request: Request<ArrivingBody>) -> Response<DoorBody> {
        answer(&self, request).await.unwrap_or_else(|refusal| self.refuse(&refusal))
    }

    fn open_connections(&self) -> &AtomicU64 {
        &self.open_connections
    }

    fn note_connection(&self) {
        self.connections.add(1);
    }

    fn cork(&self) -> &Cork {
        &self.cork
    }

    fn bounds(&self) -> Bounds {
        let limits = &self.options.limits;
        Bounds {
            connections_max: limits.connections_max,
            head_read_timeout_s: limits.head_read_timeout_s,
            client_idle_timeout_s: CLIENT_IDLE_TIMEOUT_S,
            drain_idle_timeout_s: DRAIN_IDLE_TIMEOUT_S,
        }
    }

    /// A gateway that is gone without a word is found out, and its calls end.
    fn tune_http_2(&self, builder: &mut Builder<TokioExecutor>) {
        builder
            .http2()
            .initial_stream_window_size(REQUEST_WINDOW_BYTES)
            .initial_connection_window_size(REQUESTS_WINDOW_BYTES)
            .max_send_buf_size(SEND_BYTES_MAX)
            .keep_alive_interval(PING_TIME)
            .keep_alive_timeout(PING_TIMEOUT)
            // Clients leave in crowds; what they leave behind is no fault of the gateway's.
            .max_local_error_reset_streams(None);
    }
}

async fn answer(host: &Arc<DoorHost>, request: Request<ArrivingBody>) -> Result<Response<DoorBody>, Refusal> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_read && request.uri().path() == "/healthz" {
        return Ok(host.answer_health());
    }
    let access = host.access.current();
    if !access.admits(request.headers()) {
        return Err(Refusal::new(Code::InvalidApiKey, "this door opens to gateways of its platform only"));
    }
    if let Some(welcome) = request.extensions().get::<Welcome>() {
        welcome.give();
    }
    if is_read && request.uri().path() == "/metrics" {
        return Ok(host.answer_metrics());
    }
    let target = find_target(&request, &access)?;
    forward(host, target, request).await
}
