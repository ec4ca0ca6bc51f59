//! A call on its way to another platform: its bytes pass as they come, both ways; nothing of it is read, and no record is made.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper::{Request, Response, Uri};
use keisan_route::{Code, Refusal};

use crate::body::RelayBody;
use crate::federation::{AUTHORITY, CALL_BLOCK, CALL_CODE, CallBlock, LinkBody, LinkStream};
use crate::gateway::Gateway;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What of a request goes on beside its block, and what of an answer goes back.
const REQUEST_HEADERS: [HeaderName; 3] =
    [CONTENT_TYPE, HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];
const ANSWER_HEADERS: [HeaderName; 4] =
    [CONTENT_TYPE, CALL_CODE, HeaderName::from_static("retry-after"), HeaderName::from_static("retry-after-ms")];

/// The body of an answer to a platform: this gateway's own, or one that passes.
#[derive(Debug)]
pub enum PeerBody {
    Own(RelayBody),
    Passing { incoming: Incoming, _stream: LinkStream, _open: OpenPassage },
}

/// A call that passes, for as long as it does: draining waits for it.
#[derive(Debug)]
pub struct OpenPassage(Arc<Gateway>);

impl OpenPassage {
    fn open(gateway: &Arc<Gateway>) -> Self {
        gateway.open_calls.fetch_add(1, Ordering::AcqRel);
        gateway.metrics.calls_passed.add(1);
        Self(Arc::clone(gateway))
    }
}

impl Drop for OpenPassage {
    fn drop(&mut self) {
        self.0.open_calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Body for PeerBody {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match self.get_mut() {
            Self::Own(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|read| read.map_err(Into::into)))
            }
            Self::Passing { incoming, .. } => {
                Pin::new(incoming).poll_frame(context).map(|frame| frame.map(|read| read.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Passing { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            // Its length is told, but it is not here yet: whoever sends it on must not take it for that.
            Self::Passing { .. } => SizeHint::default(),
        }
    }
}

/// Sends a call on to a neighbour and returns the answer as it begins.
pub async fn pass_call(
    gateway: &Arc<Gateway>,
    (block, neighbour_id): (CallBlock, &str),
    request: Request<Incoming>,
) -> Result<Response<PeerBody>, Refusal> {
    let open = OpenPassage::open(gateway);
    let Some(mut stream) = gateway.federation.links.find(neighbour_id).take() else {
        return Err(Refusal::new(Code::PlatformUnreachable, "there is no free connection to the next platform"));
    };
    let deadline = std::time::Duration::from_millis(block.deadline_ms);
    let request = build_request(gateway, block, request)?;
    let sent = tokio::time::timeout(deadline, stream.send(request)).await;
    let lost = || Refusal::new(Code::EngineLost, "the next platform was lost before it answered");
    let late =
        || Refusal::new(Code::EngineTimeout, "the next platform did not begin to answer within the call's deadline");
    let response = sent.map_err(|_| late())?.map_err(|_| lost())?;
    let (parts, incoming) = response.into_parts();
    let mut answer = Response::new(PeerBody::Passing { incoming, _stream: stream, _open: open });
    *answer.status_mut() = parts.status;
    for name in ANSWER_HEADERS {
        if let Some(value) = parts.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    Ok(answer)
}

fn build_request(
    gateway: &Gateway,
    block: CallBlock,
    request: Request<Incoming>,
) -> Result<Request<LinkBody>, Refusal> {
    let unusable = || Refusal::new(Code::CallBlockInvalid, "the call cannot be passed on as it is");
    let (parts, incoming) = request.into_parts();
    let uri = Uri::try_from(format!("https://{AUTHORITY}{}", parts.uri.path())).map_err(|_| unusable())?;
    let block = CallBlock { hops_left: block.hops_left.saturating_sub(1), ..block };
    let bytes_left = gateway.limits().body_bytes_max.saturating_mul(2);
    let mut passed = Request::new(LinkBody::Through { incoming, bytes_left });
    *passed.method_mut() = parts.method;
    *passed.uri_mut() = uri;
    let headers = passed.headers_mut();
    headers.insert(CALL_BLOCK, block.write().ok_or_else(unusable)?);
    for name in REQUEST_HEADERS {
        if let Some(value) = parts.headers.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    Ok(passed)
}
