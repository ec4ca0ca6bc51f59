//! A request on its way through the door: which replica it names, and the exchange with that replica's engine.
//! Every call has a connection of its own: a body that was passed on cannot be sent twice, as it must be when an idle
//! connection turns out to be closed; and closing it is how the engine learns that nobody listens any more.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use keisan_route::{Code, Refusal, Surface};

use crate::arriving_body::ArrivingBody;
use crate::dial::dial_engine;
use crate::door::access::Access;
use crate::door::body::{BodyFault, DoorBody, EngineBody, RequestBody};
use crate::door::host::{DoorHost, OpenCall};

const PREFIX: &str = "/replicas/";
/// What an engine may see of a request's head. The gateway's secret is not among it.
const PASSED_HEADERS: [HeaderName; 4] = [
    CONTENT_TYPE,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

/// A replica's engine and what is asked of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    socket_path: PathBuf,
    surface: Surface,
}

/// Finds what a request asks for; there is nothing else behind a door.
pub fn find_target<B>(request: &Request<B>, access: &Access) -> Result<Target, Refusal> {
    let nothing = || Refusal::new(Code::NotFound, "there is nothing at this path");
    let rest = request.uri().path().strip_prefix(PREFIX).ok_or_else(nothing)?;
    let (replica_id, path) = rest.split_once('/').ok_or_else(nothing)?;
    let surface = [Surface::Chat, Surface::Completions].into_iter().find(|surface| surface.path()[1..] == *path);
    let surface = surface.ok_or_else(nothing)?;
    let socket_path = access.find_replica(replica_id).ok_or_else(nothing)?.to_owned();
    if request.method() != Method::POST {
        return Err(Refusal::new(Code::MethodNotAllowed, "this path takes POST only"));
    }
    Ok(Target { socket_path, surface })
}

/// Passes a request to its engine and returns the answer as it begins.
pub async fn forward(
    host: &Arc<DoorHost>,
    target: Target,
    request: Request<ArrivingBody>,
) -> Result<Response<DoorBody>, Refusal> {
    let call = OpenCall::open(host);
    let limits = &host.options.limits;
    let (head, incoming) = request.into_parts();
    if incoming.size_hint().lower() > limits.body_bytes_max {
        return Err(refuse_large(limits.body_bytes_max));
    }
    let timeout = Duration::from_secs(limits.engine_connect_timeout_s);
    let dialled = dial_engine(&target.socket_path, timeout).await;
    let mut sender = dialled.map_err(|fault| {
        host.dial_faults.count(fault);
        refuse_lost()
    })?;
    let body = RequestBody::new(incoming, limits.body_bytes_max);
    let answered = sender.send_request(build_request(&head.headers, target.surface, body)).await;
    let response = answered.map_err(|fault| match find_body_fault(&fault) {
        Some(BodyFault::TooLarge) => refuse_large(limits.body_bytes_max),
        _ => refuse_lost(),
    })?;
    Ok(build_response(response, |incoming| EngineBody::new(incoming, sender, call)))
}

fn build_request(asked: &HeaderMap, surface: Surface, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(surface.path());
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_static("engine"));
    for name in PASSED_HEADERS {
        if let Some(value) = asked.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    request
}

/// An answer with nothing of the engine's head but the kind of its content.
fn build_response(response: Response<Incoming>, build_body: impl FnOnce(Incoming) -> EngineBody) -> Response<DoorBody> {
    let (head, incoming) = response.into_parts();
    let mut passed = Response::new(DoorBody::Engine(Box::new(build_body(incoming))));
    *passed.status_mut() = head.status;
    if let Some(kind) = head.headers.get(CONTENT_TYPE) {
        passed.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    passed
}

fn find_body_fault(fault: &hyper::Error) -> Option<BodyFault> {
    fault.source().and_then(|source| source.downcast_ref::<BodyFault>()).copied()
}

fn refuse_large(body_bytes_max: u64) -> Refusal {
    Refusal::new(Code::BodyTooLarge, format!("the body exceeds {body_bytes_max} bytes"))
}

fn refuse_lost() -> Refusal {
    Refusal::new(Code::NoHealthyReplica, "the replica's engine did not answer")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::door::access::AccessFile;

    #[test]
    fn a_door_leads_to_replicas_and_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.json");
        std::fs::write(&path, r#"{"digests":[],"replicas":{"r1":"/run/1.sock"}}"#).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let access = AccessFile::new(path).current();
        let find = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            find_target(&request, &access).map(|target| target.surface).map_err(|refusal| refusal.code)
        };
        assert_eq!(find(Method::POST, "/replicas/r1/v1/chat/completions"), Ok(Surface::Chat));
        assert_eq!(find(Method::POST, "/replicas/r1/v1/completions"), Ok(Surface::Completions));
        assert_eq!(find(Method::GET, "/replicas/r1/v1/completions"), Err(Code::MethodNotAllowed));
        for path in [
            "/",
            "/replicas/r2/v1/completions",
            "/replicas/r1",
            "/replicas/r1/",
            "/replicas/r1/slots",
            "/replicas/r1/v1/models",
            "/replicas/r1//v1/completions",
            "/replicas/r1/v1/completions/",
            "/replicas/r1/../r1/v1/completions",
            "/replicas//v1/completions",
            "/v1/completions",
        ] {
            assert_eq!(find(Method::POST, path), Err(Code::NotFound), "{path}");
        }
    }
}
