//! A connection to send one request on: an engine's own (HTTP/1.1), or a stream of one to a door (HTTP/2).

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Request, Response, StatusCode, Uri};
use keisan_route::Code;

use crate::door::DOOR_CODE;
use crate::door_pool::DoorStream;
use crate::federation::{AUTHORITY, CALL_BLOCK, CALL_CODE, LinkBody, LinkStream};
use crate::http1::{self as engine, AnswerHead, EngineConnection};
use crate::record_id::RecordId;
use crate::replica::Replica;
use crate::trace::TraceWords;
use crate::upstream::{DoorPlace, Upstream};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A connection that a call has to itself, or its share of one.
#[derive(Debug)]
pub enum Connection {
    Engine(EngineConnection),
    Door(DoorStream),
    Platform(LinkStream),
}

/// Where the bytes of an answer come from.
#[derive(Debug)]
pub enum Source {
    Engine(EngineConnection),
    /// The stream keeps its place on the connection as long as its answer is read.
    Door {
        _stream: DoorStream,
        incoming: Incoming,
    },
    Platform {
        _stream: LinkStream,
        incoming: Incoming,
    },
}

/// Why an attempt brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskFault {
    /// Not a byte of an answer came.
    Lost,
    /// The door is there, but nothing of an engine came through it: another connection to it would not help.
    Refused,
    /// Another platform said why it does not serve the call; nothing, if this version does not know the word.
    Told(Option<Code>),
}

/// What a replica is sent: the surface's path, the id of the call's record, the parts of its body, and of which trace it is.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub path: &'static str,
    pub request_id: RecordId,
    pub body: [&'a [u8]; 3],
    pub trace: TraceWords<'a>,
    /// What another platform must know of the call.
    pub call_block: Option<&'a HeaderValue>,
}

impl Outgoing<'_> {
    pub fn body_bytes(&self) -> usize {
        self.body.iter().map(|part| part.len()).sum()
    }
}

impl Connection {
    /// Sends a request to a replica and returns the head of its answer, and where its body comes from.
    pub async fn ask(self, replica: &Replica, outgoing: &Outgoing<'_>) -> Result<(AnswerHead, Source), AskFault> {
        match self {
            Self::Engine(mut connection) => {
                let head = write_head(outgoing);
                let [first, second, third] = outgoing.body;
                let request = engine::Request { parts: [&head, first, second, third] };
                let head = connection.ask(request).await.map_err(|_| AskFault::Lost)?;
                Ok((head, Source::Engine(connection)))
            }
            Self::Door(mut stream) => {
                let request = build_request(replica, outgoing, stream.secret());
                // In a box: a call to an engine of this host does not carry what HTTP/2 takes.
                let response = Box::pin(stream.send(request)).await.map_err(|_| AskFault::Lost)?;
                if is_from_door(&response) {
                    return Err(AskFault::Refused);
                }
                let (parts, incoming) = response.into_parts();
                let kind = parts.headers.get(CONTENT_TYPE).cloned();
                Ok((AnswerHead { status: parts.status.as_u16(), kind }, Source::Door { _stream: stream, incoming }))
            }
            Self::Platform(stream) => Box::pin(ask_platform(stream, outgoing)).await,
        }
    }
}

async fn ask_platform(mut stream: LinkStream, outgoing: &Outgoing<'_>) -> Result<(AnswerHead, Source), AskFault> {
    let mut request = Request::new(LinkBody::Whole(Bytes::from(outgoing.body.concat())));
    *request.method_mut() = hyper::Method::POST;
    *request.uri_mut() = Uri::try_from(format!("https://{AUTHORITY}{}", outgoing.path)).unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    headers.extend(outgoing.call_block.map(|block| (CALL_BLOCK, block.clone())));
    outgoing.trace.insert_into(headers);
    let response = stream.send(request).await.map_err(|_| AskFault::Lost)?;
    let (parts, incoming) = response.into_parts();
    if let Some(code) = parts.headers.get(CALL_CODE) {
        return Err(AskFault::Told(code.to_str().ok().and_then(Code::find)));
    }
    let kind = parts.headers.get(CONTENT_TYPE).cloned();
    Ok((AnswerHead { status: parts.status.as_u16(), kind }, Source::Platform { _stream: stream, incoming }))
}

fn write_head(outgoing: &Outgoing<'_>) -> Vec<u8> {
    let mut head = Vec::with_capacity(256);
    for part in [
        "POST ",
        outgoing.path,
        " HTTP/1.1\r\nhost: engine\r\ncontent-type: application/json\r\nx-request-id: ",
        outgoing.request_id.as_str(),
        "\r\ncontent-length: ",
        itoa::Buffer::new().format(outgoing.body_bytes()),
        "\r\n",
    ] {
        head.extend_from_slice(part.as_bytes());
    }
    outgoing.trace.write(&mut head);
    head.extend_from_slice(b"\r\n");
    head
}

/// Tells that a door answered in an engine's place. One that finds a body too large speaks to the client.
fn is_from_door(response: &Response<Incoming>) -> bool {
    response.headers().contains_key(&DOOR_CODE) && response.status() != StatusCode::PAYLOAD_TOO_LARGE
}

fn build_request(replica: &Replica, outgoing: &Outgoing<'_>, secret: Option<HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(outgoing.body.concat())));
    *request.method_mut() = hyper::Method::POST;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    if let Ok(id) = HeaderValue::from_str(outgoing.request_id.as_str()) {
        headers.insert("x-request-id", id);
    }
    outgoing.trace.insert_into(headers);
    if let (Upstream::Door { place, path }, Some(secret)) = (&replica.row.upstream, secret) {
        headers.insert(AUTHORIZATION, secret);
        *request.uri_mut() = build_door_uri(place, path, outgoing.path);
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
