//! When a connection was last heard. Pings make the other side say something each second, so that silence tells.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Two pings without a word. Whoever has not been heard for so long is given no other call; those that it has may still end.
pub const SILENCE_TIME: Duration = Duration::from_millis(2_500);

/// The moment of the last byte, which any thread may ask for.
#[derive(Debug)]
pub struct Hearing {
    begun: Instant,
    heard_ms: AtomicU64,
}

impl Hearing {
    pub fn begin() -> Self {
        Self { begun: Instant::now(), heard_ms: AtomicU64::new(0) }
    }

    pub fn is_silent(&self) -> bool {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.begun.elapsed().saturating_sub(heard) > SILENCE_TIME
    }

    fn note(&self) {
        let elapsed_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(elapsed_ms, Ordering::Relaxed);
    }
}

/// A stream that notes when bytes come.
#[derive(Debug)]
pub struct Heard<S> {
    stream: S,
    hearing: Arc<Hearing>,
}

impl<S> Heard<S> {
    pub fn new(stream: S, hearing: Arc<Hearing>) -> Self {
        Self { stream, hearing }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, into);
        if into.filled().len() > before {
            this.hearing.note();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{Heard, Hearing, SILENCE_TIME};

    /// A hearing that began so long ago that it is silent by now.
    fn begin_long_ago() -> Arc<Hearing> {
        let mut hearing = Hearing::begin();
        hearing.begun = hearing.begun.checked_sub(SILENCE_TIME * 2).unwrap();
        Arc::new(hearing)
    }

    #[test]
    fn a_connection_is_not_silent_from_its_start() {
        assert!(!Hearing::begin().is_silent());
        assert!(begin_long_ago().is_silent());
    }

    #[tokio::test]
    async fn what_comes_is_heard_and_what_goes_is_not() {
        let hearing = begin_long_ago();
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Heard::new(near, Arc::clone(&hearing));
        near.write_all(b"one").await.unwrap();
        assert!(hearing.is_silent(), "what is said is not heard");
        far.write_all(b"two").await.unwrap();
        near.read_u8().await.unwrap();
        assert!(!hearing.is_silent());
    }

    #[tokio::test]
    async fn an_end_is_no_word() {
        let hearing = begin_long_ago();
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        let mut near = Heard::new(near, Arc::clone(&hearing));
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(hearing.is_silent());
    }
}
