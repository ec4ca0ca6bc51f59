//! How long this process was awake, by which it is reckoned who is silent: while it stood still, what others said lay unread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

const LOOK_TIME: Duration = Duration::from_millis(250);
/// The most that counts from one look to the next: whoever looks later was held up.
const COUNTED_TIME_MAX: Duration = Duration::from_millis(500);

/// A clock that stands while the process does. Any thread may read it; it is right to one look.
#[derive(Debug, Default)]
pub struct AwakeTime(AtomicU64);

impl AwakeTime {
    pub fn read(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Lets the clock run, for as long as it is polled.
    pub async fn keep(self: Arc<Self>) {
        let mut looked = Instant::now();
        loop {
            tokio::time::sleep(LOOK_TIME).await;
            let now = Instant::now();
            self.count(now - looked);
            looked = now;
        }
    }

    fn count(&self, passed: Duration) {
        let counted_ms = u64::try_from(passed.min(COUNTED_TIME_MAX).as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(counted_ms, Ordering::Relaxed);
    }
}
