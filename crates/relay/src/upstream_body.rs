//! The bytes of an engine's answer, with the connection and the seat they come through.
//! Read to the end, the connection goes back to its pool; dropped before, it closes (or, at a door, its stream is reset),
//! which cancels the engine's work.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Body;

use crate::connection::Source;
use crate::idle_timer::IdleTimer;
use crate::replica::Seat;

/// The answer ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamFault {
    Lost,
    Idle,
}

#[derive(Debug)]
pub struct UpstreamBody {
    /// Gone once the answer was read to its end, or lost.
    lease: Option<(Source, Seat)>,
    idle: IdleTimer,
}

impl UpstreamBody {
    pub fn new(source: Source, seat: Seat, idle_max: Duration) -> Self {
        Self { lease: Some((source, seat)), idle: IdleTimer::new(idle_max) }
    }

    /// Tells whether all bytes were taken, if the engine said how many come.
    pub fn is_at_end(&mut self) -> bool {
        match &mut self.lease {
            Some((Source::Engine(connection), _)) => connection.is_at_end(),
            Some((Source::Door { incoming, .. } | Source::Platform { incoming, .. }, _)) => incoming.is_end_stream(),
            None => true,
        }
    }

    pub fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamFault>>> {
        let Some((source, _)) = &mut self.lease else {
            return Poll::Ready(None);
        };
        match poll_source(source, context) {
            Poll::Ready(Some(Ok(bytes))) => {
                self.idle.touch();
                Poll::Ready(Some(Ok(bytes)))
            }
            Poll::Ready(Some(Err(()))) => {
                self.lease = None;
                Poll::Ready(Some(Err(UpstreamFault::Lost)))
            }
            Poll::Ready(None) => {
                self.finish();
                Poll::Ready(None)
            }
            Poll::Pending if self.idle.is_over(context) => Poll::Ready(Some(Err(UpstreamFault::Idle))),
            Poll::Pending => Poll::Pending,
        }
    }

    pub async fn next(&mut self) -> Option<Result<Bytes, UpstreamFault>> {
        std::future::poll_fn(|context| self.poll_bytes(context)).await
    }

    /// Gives the connection back to the pool and the seat to the next call.
    pub fn finish(&mut self) {
        if let Some((source, seat)) = self.lease.take() {
            seat.replica.station.pool.give(source, seat.replica.lifetime());
        }
    }
}

fn poll_source(source: &mut Source, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, ()>>> {
    match source {
        Source::Engine(connection) => connection.poll_body(context).map(|bytes| bytes.map(|bytes| bytes.map_err(drop))),
        Source::Door { incoming, .. } | Source::Platform { incoming, .. } => loop {
            match std::task::ready!(Pin::new(&mut *incoming).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(()))),
                // Trailers say nothing that is needed.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        },
    }
}
