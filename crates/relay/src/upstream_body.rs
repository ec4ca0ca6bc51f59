//! The bytes of an engine's answer, with the connection and the seat they come through.
//! Read to the end, the connection goes back to its pool; dropped before, it closes (or, at a door, its stream is reset),
//! which cancels the engine's work.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use tokio::time::Sleep;

use crate::connection::Connection;
use crate::replica::Seat;

/// The answer ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFault {
    Lost,
    Idle,
}

#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    lease: Option<(Connection, Seat)>,
    idle: IdleTimer,
}

impl UpstreamBody {
    pub fn new(incoming: Incoming, lease: (Connection, Seat), idle_max: Duration) -> Self {
        Self { incoming, lease: Some(lease), idle: IdleTimer::new(idle_max) }
    }

    /// Tells whether all bytes were taken, if the engine said how many come.
    pub fn is_at_end(&self) -> bool {
        self.incoming.is_end_stream()
    }

    pub fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamFault>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.idle.touch();
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    self.lease = None;
                    return Poll::Ready(Some(Err(UpstreamFault::Lost)));
                }
                Poll::Ready(None) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Poll::Pending if self.idle.is_over(context) => return Poll::Ready(Some(Err(UpstreamFault::Idle))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    pub async fn next(&mut self) -> Option<Result<Bytes, UpstreamFault>> {
        std::future::poll_fn(|context| self.poll_bytes(context)).await
    }

    /// Gives the connection back to the pool and the seat to the next call.
    pub fn finish(&mut self) {
        if let Some((connection, seat)) = self.lease.take() {
            seat.replica.station.pool.give(connection, seat.replica.lifetime());
        }
    }
}

/// Ends a wait that got no bytes for a time. The timer is moved only when it rings, not with every event.
#[derive(Debug)]
struct IdleTimer {
    idle_max: Duration,
    last: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl IdleTimer {
    fn new(idle_max: Duration) -> Self {
        Self { idle_max, last: Instant::now(), sleep: None }
    }

    fn touch(&mut self) {
        self.last = Instant::now();
    }

    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let idle_max = self.idle_max;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max)));
        while sleep.as_mut().poll(context).is_ready() {
            let due = self.last + self.idle_max;
            if Instant::now() >= due {
                return true;
            }
            sleep.as_mut().reset(due.into());
        }
        false
    }
}
