//! The writing side of a connection, and what waits there.

use std::io::{self, IoSlice};
use std::sync::Mutex;
use std::task::{Context, Poll, Waker, ready};

use rustix::net::{Shutdown, shutdown};
use tokio::net::{tcp, unix};

use super::lock;

/// What is longer is written at once: it would cost more to copy.
const HELD_BYTES_MAX: usize = 8 * 1024;

/// The writing half of a socket.
#[derive(Debug)]
pub enum Half {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
}

/// A half, and what it was given and has not sent.
#[derive(Debug)]
pub struct Line {
    half: Half,
    unsent: Mutex<Unsent>,
}

#[derive(Debug, Default)]
struct Unsent {
    bytes: Vec<u8>,
    /// Whether the end of the turn will see to the bytes; else they are what the socket had no room for.
    is_held: bool,
    /// The connection's own task, for what does not get through.
    waker: Option<Waker>,
}

/// How bytes were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// So many went to the socket.
    Written(usize),
    /// All wait; `is_first` if nothing of this connection did before.
    Held { is_first: bool },
}

impl Half {
    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => half.as_ref().poll_write_ready(context),
            Self::Unix(half) => half.as_ref().poll_write_ready(context),
        }
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, parts) {
            (Self::Tcp(half), [part]) => half.try_write(part),
            (Self::Tcp(half), _) => half.try_write_vectored(parts),
            (Self::Unix(half), [part]) => half.try_write(part),
            (Self::Unix(half), _) => half.try_write_vectored(parts),
        }
    }

    fn poll_write(&self, parts: &[IoSlice<'_>], context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_ready(context))?;
            match self.try_write(parts) {
                Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn shutdown(&self) -> io::Result<()> {
        let done = match self {
            Self::Tcp(half) => shutdown(half.as_ref(), Shutdown::Write),
            Self::Unix(half) => shutdown(half.as_ref(), Shutdown::Write),
        };
        Ok(done?)
    }
}

impl Line {
    pub fn new(half: Half) -> Self {
        Self { half, unsent: Mutex::default() }
    }

    /// Takes bytes: until the end of the turn if it `may_hold` them and they are few, else as many as the socket has room for.
    pub fn poll_take(
        &self,
        parts: &[IoSlice<'_>],
        may_hold: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Taken>> {
        let size = parts.iter().map(|part| part.len()).sum::<usize>();
        let mut unsent = lock(&self.unsent);
        let is_short = unsent.bytes.len() + size <= HELD_BYTES_MAX;
        if !unsent.is_held || !is_short {
            ready!(unsent.poll_send(&self.half, context))?;
        }
        if !may_hold || !is_short {
            return self.half.poll_write(parts, context).map_ok(Taken::Written);
        }
        Poll::Ready(Ok(Taken::Held { is_first: unsent.hold(parts, size, context.waker()) }))
    }

    /// Sends what is held, at the end of the turn.
    pub fn end_turn(&self) {
        lock(&self.unsent).end_turn(&self.half);
    }

    /// What is held counts as written: the end of the turn is certain to come, and wakes the task if not all gets through.
    pub fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut unsent = lock(&self.unsent);
        if unsent.is_held { Poll::Ready(Ok(())) } else { unsent.poll_send(&self.half, context) }
    }

    pub fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(lock(&self.unsent).poll_send(&self.half, context))?;
        Poll::Ready(self.half.shutdown())
    }
}

impl Unsent {
    /// Tells whether nothing was held before.
    fn hold(&mut self, parts: &[IoSlice<'_>], size: usize, waker: &Waker) -> bool {
        self.bytes.reserve_exact(size);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
        !std::mem::replace(&mut self.is_held, true)
    }

    fn end_turn(&mut self, half: &Half) {
        if !std::mem::take(&mut self.is_held) {
            return;
        }
        match half.try_write(&[IoSlice::new(&self.bytes)]) {
            Ok(count) if count == self.bytes.len() => {
                // A stream is quiet most of the time, and keeps nothing then.
                self.bytes = Vec::new();
                return;
            }
            Ok(count) => drop(self.bytes.drain(..count)),
            // There is no room, or the connection is broken; it will say so again.
            Err(_) => {}
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Sends all, waiting for room.
    fn poll_send(&mut self, half: &Half, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_held = false;
        while !self.bytes.is_empty() {
            let written = ready!(half.poll_write(&[IoSlice::new(&self.bytes)], context))?;
            drop(self.bytes.drain(..written));
        }
        Poll::Ready(Ok(()))
    }
}
