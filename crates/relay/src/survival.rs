//! A future that goes on for a while when nobody waits for it any more: the client of a JSON call went away, but its
//! engine may still finish, and only a finished answer is billed (R6).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Response;
use keisan_route::Refusal;

use crate::body::RelayBody;

type Answering = Pin<Box<dyn Future<Output = Result<Response<RelayBody>, Refusal>> + Send>>;

/// Waits for an answer; dropped before it came, hears the engine out elsewhere.
pub struct Surviving {
    answering: Option<Answering>,
    is_client_gone: Arc<AtomicBool>,
    time: Duration,
}

impl Surviving {
    pub fn new(
        answering: impl Future<Output = Result<Response<RelayBody>, Refusal>> + Send + 'static,
        is_client_gone: Arc<AtomicBool>,
        time: Duration,
    ) -> Self {
        Self { answering: Some(Box::pin(answering)), is_client_gone, time }
    }
}

impl Future for Surviving {
    type Output = Result<Response<RelayBody>, Refusal>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(answering) = &mut self.answering else {
            return Poll::Pending;
        };
        let polled = answering.as_mut().poll(context);
        if polled.is_ready() {
            self.answering = None;
        }
        polled
    }
}

impl Drop for Surviving {
    fn drop(&mut self) {
        let Some(answering) = self.answering.take() else {
            return;
        };
        self.is_client_gone.store(true, Ordering::Release);
        let time = self.time;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { tokio::time::timeout(time, hear_out(answering)).await });
        }
    }
}

async fn hear_out(answering: Answering) {
    if let Ok(response) = answering.await
        && let RelayBody::Answer(body) = response.into_body()
    {
        body.drain().await;
    }
}
