//! The two bodies that pass through a door: a request under its limit, an answer with the call that it belongs to.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use tokio::time::Sleep;

use crate::arriving_body::ArrivingBody;
use crate::door::host::OpenCall;

/// How long what an engine said before it was lost gets to leave: the reset that then tells of the loss overtakes and
/// drops what still waits for the socket.
const FLUSH_TIME: Duration = Duration::from_millis(20);

/// Why a body ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    TooLarge,
    SenderLost,
    EngineLost,
}

impl std::fmt::Display for BodyFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::TooLarge => "the body exceeds its limit",
            Self::SenderLost => "the body did not arrive whole",
            Self::EngineLost => "the engine was lost",
        })
    }
}

impl std::error::Error for BodyFault {}

/// A request's bytes on their way to an engine, never held: the engine's pace is the sender's.
#[derive(Debug)]
pub struct RequestBody {
    incoming: ArrivingBody,
    bytes_left: u64,
}

impl RequestBody {
    pub const fn new(incoming: ArrivingBody, bytes_max: u64) -> Self {
        Self { incoming, bytes_left: bytes_max }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let Some(polled) = ready!(Pin::new(&mut self.incoming).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let Ok(frame) = polled else {
            return Poll::Ready(Some(Err(BodyFault::SenderLost)));
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = self.bytes_left.checked_sub(bytes) else {
            return Poll::Ready(Some(Err(BodyFault::TooLarge)));
        };
        self.bytes_left = left;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// An engine's bytes on their way to a gateway. Dropped before its end, the engine's connection closes with it, which
/// cancels the engine's work.
#[derive(Debug)]
pub struct EngineBody {
    incoming: Incoming,
    /// Kept for its end alone: hyper closes the connection when both are gone.
    _sender: http1::SendRequest<RequestBody>,
    flush: Option<Pin<Box<Sleep>>>,
    call: OpenCall,
}

impl EngineBody {
    pub const fn new(incoming: Incoming, sender: http1::SendRequest<RequestBody>, call: OpenCall) -> Self {
        Self { incoming, _sender: sender, flush: None, call }
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let Some(flush) = &mut self.flush {
            ready!(flush.as_mut().poll(context));
            return Poll::Ready(Some(Err(BodyFault::EngineLost)));
        }
        match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            None => Poll::Ready(None),
            Some(Err(_)) => {
                self.call.note_loss();
                self.flush = Some(Box::pin(tokio::time::sleep(FLUSH_TIME)));
                self.poll_frame(context)
            }
        }
    }
}

/// The body of an answer: the door's own words, or an engine's.
#[derive(Debug)]
pub enum DoorBody {
    Own(Bytes),
    Engine(Box<EngineBody>),
}

impl Body for DoorBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.get_mut() {
            Self::Own(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Own(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Engine(body) => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_empty(),
            Self::Engine(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Engine(body) => body.incoming.size_hint(),
        }
    }
}
