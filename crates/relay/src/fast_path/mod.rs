//! The usual request served in one pass: read at once, answered, and the answer written as one.
//!
//! hyper reads a body through a channel, for which it polls a connection a second and a third time, and keeps what any
//! request of any version may need. A short request of HTTP/1.1 needs none of it. Whatever is not usual is handed on, with
//! the connection and for good, as it was read: hyper alone judges what is strange.

mod request;
mod response;
mod rewound;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::task::coop::consume_budget;

use crate::arriving_body::ArrivingBody;
use crate::idle_timer::IdleTimer;
use crate::quiet::Quiet;
use crate::unwritten::Unwritten;
pub use request::{Taken, take_request};
use response::{CHUNKS_END, has_body, is_last, write_chunk_head, write_head};
pub use rewound::Rewound;

const READ_BYTES: usize = 8 * 1024;
/// A body that takes longer is hyper's: it knows the key before it reads on.
const BODY_TIME: Duration = Duration::from_secs(1);

/// A connection, and what was read of it and not yet taken.
#[derive(Debug)]
pub struct FastPath<S> {
    stream: S,
    read: BytesMut,
    quiet: Arc<Quiet>,
    idle: IdleTimer,
}

/// The other side is gone, or what was begun cannot be finished.
#[derive(Debug)]
struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FastPath<S> {
    /// A connection whose calls are counted by `quiet`, and that ends when nothing is asked for `idle_max`.
    pub fn new(stream: S, quiet: Arc<Quiet>, idle_max: Duration) -> Self {
        Self { stream, read: BytesMut::new(), quiet, idle: IdleTimer::new(idle_max) }
    }

    /// Serves usual requests, one after the other, until the other side ends, or `ending` comes between two. Returns the
    /// connection when something else comes.
    pub async fn serve<A, B>(
        mut self,
        answer: impl Fn(Request<ArrivingBody>) -> A,
        mut ending: Pin<&mut impl Future>,
    ) -> Option<Rewound<S>>
    where
        A: Future<Output = Response<B>>,
        B: Body<Data = Bytes> + Unpin,
    {
        loop {
            // One that asks without a pause lets others have their turn.
            consume_budget().await;
            let is_asked = self.wait(ending.as_mut()).await.is_ok();
            let request = match if is_asked { self.take().await } else { Err(Broken) } {
                Ok(Some(request)) => request,
                Ok(None) => return Some(Rewound::new(self.read, self.stream)),
                Err(Broken) => break,
            };
            let answering = pin!(answer(*request));
            let response = self.watch(answering).await.ok()?;
            if !self.send(response).await.ok()? {
                break;
            }
        }
        // Nobody is left to tell if this fails.
        let _ = poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context)).await;
        None
    }

    /// Waits for the beginning of a request. An error is the end: the other side's, or our own.
    async fn wait(&mut self, mut ending: Pin<&mut impl Future>) -> Result<(), Broken> {
        self.idle.touch();
        poll_fn(|context| {
            self.push(context)?;
            if !self.read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let polled = self.poll_read(context);
            let is_over =
                polled.is_pending() && (ending.as_mut().poll(context).is_ready() || self.idle.is_over(context));
            if is_over { Poll::Ready(Err(Broken)) } else { polled }
        })
        .await
    }

    /// Takes a request; none if it is not a usual one.
    async fn take(&mut self) -> Result<Option<Box<Request<ArrivingBody>>>, Broken> {
        let wanted = match take_request(&mut self.read) {
            Taken::Request(request) => return Ok(Some(request)),
            Taken::Other => return Ok(None),
            Taken::Partial(wanted) => wanted,
        };
        // It has begun: whoever drains waits for it.
        let _busy = self.quiet.enter();
        if let Ok(filled) = tokio::time::timeout(BODY_TIME, self.fill(wanted)).await {
            filled?;
        }
        match take_request(&mut self.read) {
            Taken::Request(request) => Ok(Some(request)),
            Taken::Partial(_) | Taken::Other => Ok(None),
        }
    }

    /// Reads until so many bytes are here.
    async fn fill(&mut self, wanted: usize) -> Result<(), Broken> {
        self.read.reserve(wanted - self.read.len());
        while self.read.len() < wanted {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(Broken);
            }
        }
        Ok(())
    }

    /// Waits for something while the other side is there.
    async fn watch<T>(&mut self, mut working: Pin<&mut impl Future<Output = T>>) -> Result<T, Broken> {
        poll_fn(|context| {
            self.push(context)?;
            match working.as_mut().poll(context) {
                Poll::Ready(done) => Poll::Ready(Ok(done)),
                Poll::Pending => self.poll_gone(context).map(Err),
            }
        })
        .await
    }

    /// Sends what is written and not sent, as far as the socket has room by now.
    fn push(&mut self, context: &mut Context<'_>) -> Result<(), Broken> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(flushed) => Ok(flushed?),
            Poll::Pending => Ok(()),
        }
    }

    /// Ready when the other side is gone. The next request may come meanwhile; what comes behind it is left where it is.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        while self.read.is_empty() {
            if let Err(broken) = ready!(self.poll_read(context)) {
                return Poll::Ready(broken);
            }
        }
        Poll::Pending
    }

    /// Reads what there is; the end is an error. A connection that is quiet keeps no room for it.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let mut room = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Err(Broken));
        }
        self.read.extend_from_slice(read.filled());
        Poll::Ready(Ok(()))
    }

    /// Sends an answer; returns whether another may follow on this connection.
    async fn send<B: Body<Data = Bytes> + Unpin>(&mut self, response: Response<B>) -> Result<bool, Broken> {
        let (head, mut body) = response.into_parts();
        let told = if has_body(head.status) { body.size_hint().exact() } else { Some(0) };
        let mut before = write_head(&head, told);
        let mut left = told;
        while left != Some(0)
            && let Some(data) = self.next_data(&mut body, &mut before).await?
        {
            let after: &[u8] = if let Some(left) = &mut left {
                *left = left.checked_sub(data.len() as u64).ok_or(Broken)?;
                b""
            } else {
                write_chunk_head(&mut before, data.len());
                b"\r\n"
            };
            self.write([&before, &data, after]).await?;
            before.clear();
        }
        match left {
            None => before.extend_from_slice(CHUNKS_END),
            Some(0) => {}
            Some(_) => return Err(Broken),
        }
        self.write([&before, b"", b""]).await?;
        Ok(!is_last(&head.headers))
    }

    /// The next bytes of a body. What is written already, and what stands `before` them, goes out when there are none yet.
    async fn next_data<B: Body<Data = Bytes> + Unpin>(
        &mut self,
        body: &mut B,
        before: &mut Vec<u8>,
    ) -> Result<Option<Bytes>, Broken> {
        loop {
            let at_once = poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context))).await;
            let frame = match at_once {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    self.write([before, b"", b""]).await?;
                    before.clear();
                    let next = pin!(poll_fn(|context| Pin::new(&mut *body).poll_frame(context)));
                    self.watch(next).await?
                }
            };
            match frame.transpose().map_err(|_| Broken)?.map(Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) if !data.is_empty() => return Ok(Some(data)),
                Some(_) => {}
            }
        }
    }

    async fn write(&mut self, parts: [&[u8]; 3]) -> Result<(), Broken> {
        let mut unwritten = Unwritten::new(parts);
        Ok(poll_fn(|context| unwritten.poll_write(Pin::new(&mut self.stream), context)).await?)
    }
}
