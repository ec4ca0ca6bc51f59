//! What connections write in one turn of a thread goes out together at the turn's end (decision 0033).
//!
//! A turn is what a thread does between two looks for events. Whoever reads at the other end sleeps between writes that come
//! one by one, and to wake it costs the writer more than the write; of writes in a row only the first one wakes.

mod line;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use line::{Half, Line, Taken};

/// So many connections are held at most: the first of them waits while the others are read, a fraction of a millisecond.
const HELD_MAX: usize = 32;

/// Holds what is written until the end of the turn; where several threads share the work, it holds nothing.
#[derive(Clone, Debug)]
pub struct Cork(Option<Arc<Mutex<Turn>>>);

/// What was written in a turn.
#[derive(Debug, Default)]
struct Turn {
    lines: Vec<Arc<Line>>,
    /// The task that ends turns.
    ending: Option<Waker>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cork {
    pub fn new(threads: usize) -> Self {
        Self((threads == 1).then(Arc::default))
    }

    /// Ends turns as long as it is polled. The first write of a turn wakes it, so that it comes behind all that was ready then.
    pub async fn run(self) {
        std::future::poll_fn(|context| {
            if let Some(turn) = &self.0 {
                lock(turn).ending.get_or_insert_with(|| context.waker().clone());
                end_turn(turn);
            }
            Poll::<()>::Pending
        })
        .await;
    }
}

fn hold(turn: &Mutex<Turn>, line: Arc<Line>) {
    let mut now = lock(turn);
    now.lines.push(line);
    if now.lines.len() >= HELD_MAX {
        drop(now);
        end_turn(turn);
    } else if now.lines.len() == 1
        && let Some(ending) = &now.ending
    {
        ending.wake_by_ref();
    }
}

fn end_turn(turn: &Mutex<Turn>) {
    let mut lines = std::mem::take(&mut lock(turn).lines);
    for line in lines.drain(..) {
        line.end_turn();
    }
    // Their room is used again: nothing was held meanwhile.
    lock(turn).lines = lines;
}

/// A connection whose writes may be held.
#[derive(Debug)]
pub struct Corked<R> {
    reading: R,
    line: Arc<Line>,
    cork: Cork,
}

impl Corked<tcp::OwnedReadHalf> {
    pub fn tcp(stream: TcpStream, cork: Cork) -> Self {
        let (reading, half) = stream.into_split();
        Self { reading, line: Arc::new(Line::new(Half::Tcp(half))), cork }
    }
}

impl Corked<unix::OwnedReadHalf> {
    pub fn unix(stream: UnixStream, cork: Cork) -> Self {
        let (reading, half) = stream.into_split();
        Self { reading, line: Arc::new(Line::new(Half::Unix(half))), cork }
    }

    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reading.try_read(buffer)
    }

    pub fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reading.as_ref().poll_read_ready(context)
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Corked<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reading).poll_read(context, buffer)
    }
}

impl<R: Unpin> AsyncWrite for Corked<R> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = self.line.poll_take(parts, self.cork.0.is_some(), context);
        taken.map_ok(|taken| match taken {
            Taken::Written(size) => size,
            Taken::Held { is_first } => {
                if let Some(turn) = self.cork.0.as_ref().filter(|_| is_first) {
                    hold(turn, Arc::clone(&self.line));
                }
                parts.iter().map(|part| part.len()).sum()
            }
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.line.poll_shutdown(context)
    }
}
