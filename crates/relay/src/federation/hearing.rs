//! When a connection was last heard. Pings make the other side say something each second, so that silence tells.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::federation::awake_time::AwakeTime;

/// Two pings without a word. Whoever has not been heard for so long is given no other call; those that it has may still end.
const SILENCE_TIME: Duration = Duration::from_millis(2_500);

/// The moment of the last byte, which any thread may ask for.
#[derive(Debug)]
pub struct Hearing {
    awake: Arc<AwakeTime>,
    heard_ms: AtomicU64,
}

impl Hearing {
    pub fn begin(awake: Arc<AwakeTime>) -> Self {
        let hearing = Self { awake, heard_ms: AtomicU64::new(0) };
        hearing.note();
        hearing
    }

    pub fn is_silent(&self) -> bool {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.awake.read().saturating_sub(heard) > SILENCE_TIME
    }

    fn note(&self) {
        let awake_ms = u64::try_from(self.awake.read().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(awake_ms, Ordering::Relaxed);
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
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{advance, sleep};

    use super::{Heard, Hearing};
    use crate::federation::awake_time::AwakeTime;

    /// Silence is told no later, by the word of decision 0076 and a look.
    const FOUND_TIME: Duration = Duration::from_secs(3);
    const MINUTE: Duration = Duration::from_secs(60);

    /// A hearing by a clock that runs in the test's runtime.
    fn begin() -> Arc<Hearing> {
        let awake = Arc::<AwakeTime>::default();
        tokio::spawn(Arc::clone(&awake).keep());
        Arc::new(Hearing::begin(awake))
    }

    async fn begin_long_ago() -> Arc<Hearing> {
        let hearing = begin();
        sleep(FOUND_TIME).await;
        assert!(hearing.is_silent());
        hearing
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_silent_in_time_and_not_before_two_pings() {
        for _ in 0..3 {
            let hearing = begin();
            assert!(!hearing.is_silent());
            sleep(Duration::from_secs(2)).await;
            assert!(!hearing.is_silent());
            sleep(FOUND_TIME.checked_sub(Duration::from_secs(2)).unwrap()).await;
            assert!(hearing.is_silent());
            // The next begins while the clocks of these are elsewhere.
            sleep(Duration::from_millis(90)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_of_ones_own_is_not_the_others_silence() {
        let hearing = begin();
        // Half of what the other side says in is over.
        sleep(Duration::from_secs(1)).await;
        advance(MINUTE).await;
        sleep(Duration::from_millis(1)).await;
        assert!(!hearing.is_silent(), "what was said meanwhile lies unread");
        sleep(FOUND_TIME).await;
        assert!(hearing.is_silent(), "there was time to read it");
    }

    #[tokio::test(start_paused = true)]
    async fn stalls_do_not_keep_up_who_is_silent() {
        let hearing = begin();
        for _ in 0..10 {
            sleep(Duration::from_millis(1)).await;
            advance(MINUTE).await;
        }
        assert!(hearing.is_silent());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_is_heard_and_what_goes_is_not() {
        let hearing = begin_long_ago().await;
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Heard::new(near, Arc::clone(&hearing));
        near.write_all(b"one").await.unwrap();
        assert!(hearing.is_silent(), "what is said is not heard");
        far.write_all(b"two").await.unwrap();
        near.read_u8().await.unwrap();
        assert!(!hearing.is_silent());
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_is_no_word() {
        let hearing = begin_long_ago().await;
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        let mut near = Heard::new(near, Arc::clone(&hearing));
        assert_eq!(near.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(hearing.is_silent());
    }
}
