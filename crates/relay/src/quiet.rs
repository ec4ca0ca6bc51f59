//! Whether a connection is quiet: without a call, and for how long. A draining process closes quiet connections only:
//! to close one while a request is on its way would lose the call.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a connection that is not quiet is looked at.
const LOOK_TIME: Duration = Duration::from_millis(50);
const BEGUN: u64 = 1 << 32;

/// The calls of one connection.
#[derive(Debug, Default)]
pub struct Quiet {
    /// Those under way, in the lower half; all that ever began, in the upper one.
    calls: AtomicU64,
    is_draining: AtomicBool,
    is_http_2: AtomicBool,
    /// When draining began, or the last call since then ended.
    since: Mutex<Option<Instant>>,
}

/// A call of a connection, until its answer is sent.
#[derive(Debug)]
pub struct Busy(Arc<Quiet>);

impl Quiet {
    pub fn enter(self: &Arc<Self>) -> Busy {
        self.calls.fetch_add(BEGUN + 1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    /// Tells whether there ever was a call.
    pub fn has_begun(&self) -> bool {
        self.calls.load(Ordering::Acquire) >= BEGUN
    }

    fn is_busy(&self) -> bool {
        !self.calls.load(Ordering::Acquire).is_multiple_of(BEGUN)
    }

    /// HTTP/2 tells its client which calls were taken, and needs no quiet to be closed.
    pub fn note_http_2(&self) {
        self.is_http_2.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Returns when the connection may be closed: at once if it speaks HTTP/2, else when it was quiet for a time.
    pub async fn wait(&self, quiet_time: Duration) {
        self.is_draining.store(true, Ordering::Relaxed);
        self.mark();
        while !self.is_http_2.load(Ordering::Relaxed) {
            let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
            let left = quiet_time.saturating_sub(since.map_or(Duration::ZERO, |since| since.elapsed()));
            if left.is_zero() && !self.is_busy() {
                return;
            }
            tokio::time::sleep(left.clamp(Duration::from_millis(1), LOOK_TIME)).await;
        }
    }

    fn mark(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.is_draining() {
            self.0.mark();
        }
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_millis(80);

    #[tokio::test]
    async fn a_connection_is_closed_only_after_its_last_call_and_a_pause() {
        let quiet = Arc::new(Quiet::default());
        let busy = quiet.enter();
        let began = Instant::now();
        let ending = tokio::spawn(async move {
            tokio::time::sleep(TIME).await;
            drop(busy);
        });
        quiet.wait(TIME).await;
        assert!(began.elapsed() >= 2 * TIME, "{:?}", began.elapsed());
        ending.await.unwrap();
    }

    #[test]
    fn a_call_that_ended_has_begun_and_is_not_under_way() {
        let quiet = Arc::new(Quiet::default());
        assert!(!quiet.has_begun() && !quiet.is_busy());
        let busy = quiet.enter();
        assert!(quiet.has_begun() && quiet.is_busy());
        drop(busy);
        assert!(quiet.has_begun() && !quiet.is_busy());
    }

    #[tokio::test]
    async fn http_2_needs_no_pause() {
        let quiet = Arc::new(Quiet::default());
        let _busy = quiet.enter();
        quiet.note_http_2();
        let wait = tokio::time::timeout(TIME, quiet.wait(Duration::from_secs(9)));
        wait.await.expect("it waits although the protocol needs no pause");
    }
}
