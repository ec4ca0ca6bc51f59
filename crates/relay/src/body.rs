//! The body of an answer to a client: whole, a JSON answer that passes through, or a stream of events.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::steps::answer::AnswerBody;
use crate::steps::stream::StreamBody;

/// The answer could not be finished; the connection is closed so that the client sees it is not whole.
#[derive(Debug)]
pub struct BrokenAnswer;

impl std::fmt::Display for BrokenAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the answer could not be finished")
    }
}

impl std::error::Error for BrokenAnswer {}

#[derive(Debug)]
pub enum RelayBody {
    Full(Bytes),
    Answer(Box<AnswerBody>),
    Stream(Box<StreamBody>),
}

impl RelayBody {
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::Full(bytes.into())
    }
}

impl Body for RelayBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        let polled = match self.get_mut() {
            Self::Full(bytes) if bytes.is_empty() => return Poll::Ready(None),
            Self::Full(bytes) => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Answer(answer) => answer.poll_bytes(context),
            Self::Stream(stream) => stream.poll_bytes(context).map(|bytes| bytes.map(Ok)),
        };
        polled.map(|bytes| bytes.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Answer(_) | Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Answer(_) | Self::Stream(_) => SizeHint::default(),
        }
    }
}
