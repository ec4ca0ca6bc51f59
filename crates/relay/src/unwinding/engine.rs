//! An engine of streams that begin at once and end together.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

const FIRST: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"timings\":{\"cache_n\":36,\"prompt_n\":1,\"predicted_n\":1}}\n\n";
const LAST: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":37,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";

/// What an engine says, as it is sent.
struct Pieces(mpsc::Receiver<&'static str>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
    }
}

/// Answers every call with a stream; all of them end when it is told.
pub async fn serve_engine(listener: UnixListener, is_ending: watch::Receiver<bool>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve_gateway(stream, is_ending.clone()));
    }
}

async fn serve_gateway(stream: UnixStream, is_ending: watch::Receiver<bool>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut is_ending = is_ending.clone();
        async move {
            request.into_body().collect().await?;
            let (sender, pieces) = mpsc::channel(1);
            tokio::spawn(async move {
                // Whoever hung up does not hear the rest.
                let _ = sender.send(FIRST).await;
                let _ = is_ending.wait_for(|is_ending| *is_ending).await;
                let _ = sender.send(LAST).await;
            });
            Ok::<_, hyper::Error>(
                Response::builder().header("content-type", "text/event-stream").body(Pieces(pieces)).unwrap(),
            )
        }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
