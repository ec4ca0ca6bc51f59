//! The living side of a replica: its connections, and the slots that bound what is in flight there (R14).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keisan_route::block::estimate_block_tokens;
use keisan_route::{Affinity, Backlog, Blocks, Breaker, Candidate, CandidateKind, Facts, PolicyVerdict, Verdict};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::pool::{Lifetime, Pool};
use crate::record::write_part;
use crate::snapshot::{ELSEWHERE, EngineProfile, ReplicaRow};
use crate::spool::Part;

/// What outlasts snapshots: connections, slots, and what is believed of the engine.
#[derive(Debug)]
pub struct Station {
    pub pool: Pool,
    pub affinity: Affinity,
    pub backlog: Arc<Backlog>,
    pub circuit: Circuit,
    free_slots: Arc<Semaphore>,
    slots: Mutex<Slots>,
    open_calls: AtomicU32,
    waiting_calls: AtomicU32,
}

/// The breaker of a replica. While it has not failed lately, nobody takes a lock.
#[derive(Debug, Default)]
pub struct Circuit {
    is_troubled: AtomicBool,
    breaker: Mutex<Breaker>,
}

impl Circuit {
    pub fn allows(&self, now_ns: u64) -> bool {
        !self.is_troubled.load(Ordering::Acquire) || self.change(|breaker| breaker.allows(now_ns))
    }

    /// Notes that a call is sent.
    pub fn begin(&self) {
        if self.is_troubled.load(Ordering::Acquire) {
            self.change(Breaker::begin);
        }
    }

    pub fn succeed(&self) {
        if self.is_troubled.load(Ordering::Acquire) {
            self.change(Breaker::succeed);
            self.is_troubled.store(false, Ordering::Release);
        }
    }

    /// A call ended in a way that says nothing of the replica.
    pub fn abandon(&self) {
        if self.is_troubled.load(Ordering::Acquire) {
            self.change(Breaker::abandon);
        }
    }

    pub fn fail(&self, now_ns: u64) {
        self.is_troubled.store(true, Ordering::Release);
        self.change(|breaker| breaker.fail(now_ns));
    }

    /// What the breaker does now, for people.
    pub fn name_state(&self, now_ns: u64) -> &'static str {
        if self.is_troubled.load(Ordering::Acquire) {
            self.change(|breaker| breaker.name_state(now_ns))
        } else {
            "closed"
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Breaker) -> T) -> T {
        change(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `owed` slots were taken away while in use; they vanish when they are given back.
#[derive(Debug)]
struct Slots {
    count: u32,
    owed: u32,
}

/// A replica as one snapshot tells it, with its station.
#[derive(Debug)]
pub struct Replica {
    pub id: String,
    pub row: ReplicaRow,
    /// What policies are judged on.
    pub facts: Facts,
    pub profile: EngineProfile,
    pub station: Arc<Station>,
    pub record_part: Part,
}

/// A slot of a replica, held while a call is there.
#[derive(Debug)]
pub struct Seat {
    pub replica: Arc<Replica>,
    permit: Option<OwnedSemaphorePermit>,
}

/// Counts a call as waiting or open for as long as it lives.
struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    /// Nothing if there are `most` already.
    fn enter(count: &'a AtomicU32, most: u32) -> Option<Self> {
        let entered = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < most).then_some(now + 1));
        entered.ok().map(|_| Self(count))
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Why there is no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSeat {
    QueueFull,
    QueueTimeout,
}

impl Station {
    pub fn new(slots: u32, pool: Pool) -> Self {
        Self {
            pool,
            affinity: Affinity::default(),
            backlog: Arc::default(),
            circuit: Circuit::default(),
            free_slots: Arc::new(Semaphore::new(slots as usize)),
            slots: Mutex::new(Slots { count: slots, owed: 0 }),
            open_calls: AtomicU32::new(0),
            waiting_calls: AtomicU32::new(0),
        }
    }

    pub fn set_slots(&self, wanted: u32) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if wanted > slots.count {
            let added = wanted - slots.count;
            let forgiven = added.min(slots.owed);
            slots.owed -= forgiven;
            self.free_slots.add_permits((added - forgiven) as usize);
        } else {
            let removed = slots.count - wanted;
            let forgotten = self.free_slots.forget_permits(removed as usize);
            slots.owed += removed - u32::try_from(forgotten).unwrap_or(removed);
        }
        slots.count = wanted;
    }

    /// Tells whether a slot given back is one that no longer exists.
    fn settle_owed(&self) -> bool {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let is_owed = slots.owed > 0;
        slots.owed -= u32::from(is_owed);
        is_owed
    }

    pub fn count_open(&self) -> u32 {
        self.open_calls.load(Ordering::Relaxed)
    }

    pub fn count_waiting(&self) -> u32 {
        self.waiting_calls.load(Ordering::Relaxed)
    }

    pub fn count_calls(&self) -> u32 {
        self.count_open() + self.count_waiting()
    }
}

impl Replica {
    pub fn new(id: &str, row: ReplicaRow, (facts, profile): (Facts, EngineProfile), station: Arc<Station>) -> Self {
        let record_part = write_part(&[
            ("deployment_id", &row.deployment_id),
            ("replica_id", if row.offer.is_some() { ELSEWHERE } else { id }),
            ("provider_id", &row.provider_id),
            ("site_id", &row.site_id),
            ("model_digest", &row.model_digest),
        ]);
        Self { id: id.to_owned(), row, facts, profile, station, record_part }
    }

    pub fn lifetime(&self) -> Lifetime {
        Lifetime::new(self.profile.idle_connection_s, self.profile.requests_per_connection_max)
    }

    /// This replica as the decision sees it, but for policy; `prompt` is what may be warm there.
    pub fn as_candidate(&self, prompt: &Blocks, now_ns: u64) -> Candidate {
        let is_broken = !self.station.circuit.allows(now_ns);
        Candidate {
            policy: PolicyVerdict::Holds,
            verdict: if is_broken { Verdict::Failed } else { self.row.verdict },
            is_reachable: self.row.upstream.is_reachable() && self.station.pool.is_open(),
            is_capable: true,
            // Whether a ticket is at hand depends on who calls.
            kind: match self.row.offer {
                Some(_) => CandidateKind::Platform { has_ticket: false },
                None => CandidateKind::Replica,
            },
            slots: self.row.slots,
            open_calls: self.station.count_calls(),
            backlog_tokens: self.station.backlog.tokens(),
            warm_tokens: estimate_block_tokens(self.station.affinity.count_warm(prompt.as_slice())),
            prefill_tokens_per_s: self.row.prefill_tokens_per_s,
            link_us: self.station.pool.distance_us(),
            price_nano: 0,
        }
    }

    /// What is known of it here and now: well on the word of others, it is unknown while there is no way to it.
    pub fn tell_verdict(&self) -> Verdict {
        if self.row.verdict == Verdict::Ok && !self.station.pool.is_open() {
            Verdict::Unknown
        } else {
            self.row.verdict
        }
    }

    /// Takes a slot if one is free now.
    pub fn try_seat(self: &Arc<Self>) -> Option<Seat> {
        let permit = Arc::clone(&self.station.free_slots).try_acquire_owned().ok()?;
        Some(self.seat(permit))
    }

    /// Waits in the queue for a slot.
    pub async fn wait_for_seat(self: &Arc<Self>, queue_max: u64, timeout: Duration) -> Result<Seat, NoSeat> {
        let most = u32::try_from(queue_max).unwrap_or(u32::MAX);
        let _place = Counted::enter(&self.station.waiting_calls, most).ok_or(NoSeat::QueueFull)?;
        let acquired = tokio::time::timeout(timeout, Arc::clone(&self.station.free_slots).acquire_owned()).await;
        match acquired {
            Ok(Ok(permit)) => Ok(self.seat(permit)),
            _ => Err(NoSeat::QueueTimeout),
        }
    }

    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Seat {
        self.station.open_calls.fetch_add(1, Ordering::AcqRel);
        Seat { replica: Arc::clone(self), permit: Some(permit) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.replica.station.open_calls.fetch_sub(1, Ordering::AcqRel);
        if let Some(permit) = self.permit.take()
            && self.replica.station.settle_owed()
        {
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use keisan_route::Verdict;

    use super::*;
    use crate::dialect::{Dialect, RunningUsage};
    use crate::upstream::Upstream;

    fn replica(slots: u32) -> Arc<Replica> {
        let text = String::new;
        let row = ReplicaRow {
            model_id: text(),
            deployment_id: text(),
            provider_id: text(),
            site_id: text(),
            region: text(),
            chip: text(),
            engine: text(),
            model_digest: text(),
            verdict: Verdict::Ok,
            slots,
            upstream: Upstream::Unknown,
            attested_at_ms: None,
            prefill_tokens_per_s: None,
            door_pass: None,
            offer: None,
        };
        let dialect = Dialect::new(RunningUsage::None);
        let profile = EngineProfile { dialect, idle_connection_s: 1, requests_per_connection_max: 1 };
        let station = Arc::new(Station::new(slots, Pool::default()));
        Arc::new(Replica::new("", row, (Facts::default(), profile), station))
    }

    fn count_free(replica: &Arc<Replica>) -> usize {
        std::iter::from_fn(|| replica.try_seat()).collect::<Vec<_>>().len()
    }

    #[test]
    fn seats_are_as_many_as_slots_and_come_back() {
        let replica = replica(2);
        let first = replica.try_seat().unwrap();
        let _second = replica.try_seat().unwrap();
        assert!(replica.try_seat().is_none());
        assert_eq!(replica.station.count_calls(), 2);
        drop(first);
        assert_eq!(count_free(&replica), 1);
    }

    #[test]
    fn slots_taken_away_while_in_use_vanish_when_given_back() {
        let replica = replica(3);
        let seats = [replica.try_seat().unwrap(), replica.try_seat().unwrap()];
        replica.station.set_slots(1);
        assert!(replica.try_seat().is_none());
        drop(seats);
        assert_eq!(count_free(&replica), 1);
        replica.station.set_slots(4);
        assert_eq!(count_free(&replica), 4);
    }

    #[test]
    fn slots_given_again_before_they_vanished_are_kept() {
        let replica = replica(2);
        let seats = [replica.try_seat().unwrap(), replica.try_seat().unwrap()];
        replica.station.set_slots(0);
        replica.station.set_slots(2);
        drop(seats);
        assert_eq!(count_free(&replica), 2);
    }

    #[tokio::test]
    async fn the_queue_is_bounded_in_length_and_time() {
        let replica = replica(1);
        let seat = replica.try_seat().unwrap();
        let wait = |time| replica.wait_for_seat(1, time);
        let (queued, refused) = tokio::join!(wait(Duration::from_millis(20)), wait(Duration::from_secs(9)));
        assert_eq!((queued.err(), refused.err()), (Some(NoSeat::QueueTimeout), Some(NoSeat::QueueFull)));
        drop(seat);
        assert!(wait(Duration::from_secs(9)).await.is_ok());
    }
}
