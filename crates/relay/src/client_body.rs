//! The body of an answer as its connection sends it: it counts as a call of the connection until its end, and over
//! HTTP/2, where one stream can be left unread while others flow, it is cut when nobody takes from it for a time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use crate::quiet::Busy;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// A body, and the mark that its connection is not quiet.
pub struct ClientBody<B> {
    source: Source<B>,
    _busy: Busy,
}

enum Source<B> {
    Direct(B),
    Pumped(Pumped),
}

/// What a task of its own reads from a body, and how long it waits for the client.
struct Pumped {
    frames: mpsc::Receiver<Result<Option<Frame<Bytes>>, Fault>>,
    is_over: bool,
}

/// The client did not take anything for too long.
#[derive(Debug)]
struct NotTaken;

impl std::fmt::Display for NotTaken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the client stopped reading")
    }
}

impl std::error::Error for NotTaken {}

impl<B> ClientBody<B>
where
    B: Body<Data = Bytes, Error: Into<Fault>> + Send + Unpin + 'static,
{
    /// A body whose connection's socket tells when its client stops reading (HTTP/1.1).
    pub fn direct(body: B, busy: Busy) -> Self {
        Self { source: Source::Direct(body), _busy: busy }
    }

    /// A body that is dropped, and thereby its call ended, when nothing of it was taken for `idle_max` (HTTP/2).
    pub fn pumped(body: B, busy: Busy, idle_max: Duration) -> Self {
        if body.size_hint().exact().is_some() {
            // It is there already, and holds nothing but memory.
            return Self::direct(body, busy);
        }
        let (sender, frames) = mpsc::channel(1);
        tokio::spawn(pump(body, sender, idle_max));
        Self { source: Source::Pumped(Pumped { frames, is_over: false }), _busy: busy }
    }
}

async fn pump<B>(mut body: B, sender: mpsc::Sender<Result<Option<Frame<Bytes>>, Fault>>, idle_max: Duration)
where
    B: Body<Data = Bytes, Error: Into<Fault>> + Unpin,
{
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = tokio::select! {
            // The stream is gone, and so is its client.
            () = sender.closed() => return,
            frame = next => frame.transpose().map_err(Into::into),
        };
        let is_last = !matches!(frame, Ok(Some(_)));
        let is_taken = tokio::time::timeout(idle_max, sender.send(frame)).await.is_ok_and(|sent| sent.is_ok());
        if is_last || !is_taken {
            return;
        }
    }
}

impl Pumped {
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        self.frames.poll_recv(context).map(|received| {
            let frame = match received {
                Some(Ok(frame)) => frame.map(Ok),
                Some(Err(fault)) => Some(Err(fault)),
                None => Some(Err(NotTaken.into())),
            };
            self.is_over = !matches!(frame, Some(Ok(_)));
            frame
        })
    }
}

impl<B> Body for ClientBody<B>
where
    B: Body<Data = Bytes, Error: Into<Fault>> + Unpin,
{
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        match &mut self.source {
            Source::Direct(body) => {
                Pin::new(body).poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            Source::Pumped(pumped) => pumped.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Direct(body) => body.is_end_stream(),
            Source::Pumped(pumped) => pumped.is_over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Direct(body) => body.size_hint(),
            Source::Pumped(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;

    use super::*;
    use crate::quiet::Quiet;

    type Piece = Result<Frame<Bytes>, Fault>;

    /// A body of pieces that come when they are sent.
    struct Scripted(mpsc::Receiver<Piece>);

    impl Body for Scripted {
        type Data = Bytes;
        type Error = Fault;

        fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Piece>> {
            self.0.poll_recv(context)
        }
    }

    fn script() -> (mpsc::Sender<Piece>, ClientBody<Scripted>) {
        let (sender, pieces) = mpsc::channel(8);
        let busy = Arc::new(Quiet::default()).enter();
        (sender, ClientBody::pumped(Scripted(pieces), busy, Duration::from_millis(30)))
    }

    fn piece() -> Frame<Bytes> {
        Frame::data(Bytes::from_static(b"a"))
    }

    #[tokio::test]
    async fn what_is_taken_arrives_whole() {
        let (sender, body) = script();
        let reading = tokio::spawn(body.collect());
        for _ in 0..5 {
            sender.send(Ok(piece())).await.unwrap();
        }
        drop(sender);
        assert_eq!(reading.await.unwrap().unwrap().to_bytes(), "aaaaa");
    }

    #[tokio::test]
    async fn what_is_not_taken_is_cut_and_never_looks_whole() {
        let (sender, body) = script();
        sender.send(Ok(piece())).await.unwrap();
        sender.send(Ok(piece())).await.unwrap();
        tokio::time::timeout(Duration::from_secs(9), sender.closed()).await.expect("the body is held for ever");
        assert!(body.collect().await.unwrap_err().to_string().contains("stopped reading"));
    }

    #[tokio::test]
    async fn a_silent_body_waits_for_its_source_and_goes_with_its_client() {
        let (sender, body) = script();
        let mut body = Box::pin(body);
        tokio::time::timeout(Duration::from_millis(90), body.frame()).await.expect_err("nothing was said");
        sender.send(Ok(piece())).await.unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        drop(body);
        tokio::time::timeout(Duration::from_secs(9), sender.closed()).await.expect("the body outlives its client");
    }
}
