//! Shares of limits at this gateway (R4): leased by the platform for a while, and nothing before and after that.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::limiter::{Meter, Moment, SHARE_WHOLE};
use crate::purse::Bell;

/// What the platform says of one limit.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    pub share_ppm: u32,
    /// More is on its way from other gateways.
    pub is_awaited: bool,
}

/// The shares that this gateway may use, and until when. Times are of the clock that no one sets, from `started`.
#[derive(Debug)]
pub struct ShareBook {
    bell: Arc<Bell>,
    started: Instant,
    default_ppm: AtomicU32,
    /// Until the platform has said what this gateway may use, limited keys are not served.
    leased_until_ns: AtomicU64,
    answered: Notify,
    meters: Mutex<HashMap<String, Arc<Meter>>>,
}

impl ShareBook {
    pub fn new(bell: Arc<Bell>, started: Instant) -> Self {
        Self {
            bell,
            started,
            default_ppm: AtomicU32::new(0),
            leased_until_ns: AtomicU64::new(0),
            answered: Notify::new(),
            meters: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Meter>>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What limits are measured by, now.
    pub fn moment(&self) -> Moment {
        let now_ns = self.count_ns(Instant::now());
        let is_leased = now_ns < self.leased_until_ns.load(Ordering::Acquire);
        let default_share_ppm = if is_leased { self.default_ppm.load(Ordering::Acquire) } else { 0 };
        Moment { now_ns, default_share_ppm, is_leased }
    }

    fn count_ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.started).as_nanos()).unwrap_or(u64::MAX)
    }

    pub fn find_meter(&self, limit_id: &str) -> Arc<Meter> {
        let mut meters = self.lock();
        if let Some(meter) = meters.get(limit_id) {
            return Arc::clone(meter);
        }
        let meter = Arc::<Meter>::default();
        meters.insert(limit_id.to_owned(), Arc::clone(&meter));
        meter
    }

    /// Forgets what no snapshot and no open call names any more.
    pub fn sweep(&self) {
        self.lock().retain(|_, meter| Arc::strong_count(meter) > 1);
    }

    /// Each limit with its share, and what it was asked for since the last report.
    ///
    /// Shares whose lease is over are gone: others may have them, and an answer that does not name them gives none back.
    pub fn report(&self) -> Vec<(String, u32, u64)> {
        if !self.moment().is_leased {
            self.default_ppm.store(0, Ordering::Release);
            self.lock().values().for_each(|meter| meter.forget_share());
        }
        let default_ppm = self.default_ppm.load(Ordering::Acquire);
        let describe =
            |(id, meter): (&String, &Arc<Meter>)| (id.clone(), meter.share_ppm(default_ppm), meter.take_demand());
        self.lock().iter().map(describe).collect()
    }

    /// Takes what the platform says of one limit. A share of nothing is an answer to those who asked before the report;
    /// until the next one is due nobody need ask again.
    pub fn apply(&self, limit_id: &str, told: Told, next_due: Duration) {
        let denied_until = (told.share_ppm == 0 && !told.is_awaited).then(|| self.count_ns(Instant::now() + next_due));
        self.find_meter(limit_id).set_share(told.share_ppm, denied_until);
    }

    /// Puts all shares in force until `leased_until`, and wakes those who wait for one.
    pub fn renew(&self, default_ppm: u32, leased_until: Instant) {
        self.default_ppm.store(default_ppm.min(SHARE_WHOLE), Ordering::Release);
        self.leased_until_ns.store(self.count_ns(leased_until), Ordering::Release);
        self.answered.notify_waiters();
    }

    /// Tries until `attempt` no longer fails for want of an answer, or the time is over: once after every answer.
    pub async fn wait<T, Fault>(
        &self,
        wait: Duration,
        mut attempt: impl FnMut() -> Result<T, Fault>,
        is_unanswered: impl Fn(&Fault) -> bool,
    ) -> Result<T, Fault> {
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let mut answered = pin!(self.answered.notified());
            // An answer that comes between the attempt and the wait is heard.
            answered.as_mut().enable();
            let fault = match attempt() {
                Err(fault) if is_unanswered(&fault) => fault,
                ended => return ended,
            };
            self.bell.ring();
            if tokio::time::timeout_at(deadline, answered).await.is_err() {
                return Err(fault);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn book() -> ShareBook {
        ShareBook::new(Arc::default(), Instant::now())
    }

    fn use_share(book: &ShareBook, meter: &Meter) -> u32 {
        let moment = book.moment();
        if moment.is_leased { meter.share_ppm(moment.default_share_ppm) } else { 0 }
    }

    #[test]
    fn shares_are_used_while_they_are_leased() {
        let book = book();
        let meter = book.find_meter("l");
        assert_eq!(use_share(&book, &meter), 0);
        book.renew(500_000, Instant::now() + LONG);
        assert_eq!(use_share(&book, &meter), 500_000);
        book.apply("l", Told { share_ppm: 900_000, is_awaited: false }, LONG);
        assert_eq!(use_share(&book, &meter), 900_000);
        book.renew(500_000, Instant::now());
        assert_eq!((use_share(&book, &meter), book.moment().default_share_ppm), (0, 0));
        book.renew(500_000, Instant::now() + LONG);
        assert_eq!(use_share(&book, &meter), 900_000, "it was renewed before anything else was said");
        book.renew(500_000, Instant::now());
        assert_eq!(book.report()[0].1, 0);
        book.renew(300_000, Instant::now() + LONG);
        assert_eq!(use_share(&book, &meter), 300_000, "what was over is not renewed by a word on others");
        drop(meter);
        book.sweep();
        assert!(book.report().is_empty());
    }

    /// Counts its tries; whoever asks is answered by the third.
    async fn ask(book: &ShareBook, wait: Duration) -> (u32, Result<u32, bool>) {
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            if tries == 3 { Ok(tries) } else { Err(true) }
        };
        let answered = book.wait(wait, attempt, |is_unanswered| *is_unanswered).await;
        (tries, answered)
    }

    #[tokio::test]
    async fn who_waits_tries_again_with_every_answer() {
        let book = book();
        let answers = async {
            for _ in 0..2 {
                while !book.bell.wait(Duration::ZERO) {
                    tokio::task::yield_now().await;
                }
                book.renew(0, Instant::now() + LONG);
            }
        };
        assert_eq!(tokio::join!(ask(&book, LONG), answers).0, (3, Ok(3)));
    }

    #[tokio::test]
    async fn who_is_not_answered_waits_for_a_while_and_who_is_refused_does_not() {
        let book = book();
        assert_eq!(ask(&book, Duration::from_millis(5)).await, (1, Err(true)));
        let refused = book.wait(LONG, || Err::<(), _>(false), |is_unanswered| *is_unanswered).await;
        assert_eq!(refused, Err(false));
    }
}
