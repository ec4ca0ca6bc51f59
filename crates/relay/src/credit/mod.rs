//! The exchange with the platform (R1, R4): what this gateway holds, spent and wants, and what it is leased.
//! The Python shell carries the texts; `keisan.wire.credit` is the other side.

#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::currency::Currency;
use crate::purse::{Bell, Held, Purse};
use crate::share::{ShareBook, Told};
use text::{AnswerText, RateReport, ReportText, TicketAnswer, TicketReport, Want};

/// A week bounds every lease, so that no sum of times overflows.
const LEASE_S_MAX: u64 = 7 * 86_400;

/// Whose credit, in which currency.
type Wallet = (String, Currency);

/// All tickets and shares of one gateway process.
#[derive(Debug)]
pub struct CreditBook {
    pub bell: Arc<Bell>,
    pub shares: ShareBook,
    purses: Mutex<HashMap<Wallet, Arc<Purse>>>,
    reported_at: Mutex<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CreditBook {
    pub fn new(started: Instant) -> Self {
        let bell = Arc::<Bell>::default();
        let shares = ShareBook::new(Arc::clone(&bell), started);
        Self { bell, shares, purses: Mutex::default(), reported_at: Mutex::new(started) }
    }

    pub fn find_purse(&self, holder_id: &str, currency: Currency) -> Arc<Purse> {
        let mut purses = lock(&self.purses);
        let purse = purses.entry((holder_id.to_owned(), currency));
        Arc::clone(purse.or_insert_with(|| Arc::new(Purse::new(currency, Arc::clone(&self.bell)))))
    }

    /// What is held for all organizations together, by currency.
    pub fn sum_up(&self) -> BTreeMap<Currency, Held> {
        let mut sums = BTreeMap::<Currency, Held>::new();
        for purse in lock(&self.purses).values() {
            let sum = sums.entry(purse.currency).or_default();
            *sum = sum.add(purse.sum_up());
        }
        sums
    }

    /// Forgets what no snapshot and no open call names any more.
    pub fn sweep(&self) {
        self.shares.sweep();
        lock(&self.purses).retain(|_, purse| Arc::strong_count(purse) > 1 || !purse.is_empty());
    }

    /// Returns the report as JSON; demand is counted anew from here.
    pub fn report(&self, incarnation: &str) -> String {
        let now = Instant::now();
        let elapsed = now.duration_since(std::mem::replace(&mut *lock(&self.reported_at), now));
        let (mut tickets, mut wanted) = (Vec::new(), Vec::new());
        for ((holder_id, currency), purse) in &*lock(&self.purses) {
            let report = purse.report();
            tickets.extend(report.tickets.into_iter().map(TicketReport::new));
            if report.wanted_nano > 0 {
                let wanted_nano = report.wanted_nano.to_string();
                wanted.push(Want { holder_id: holder_id.clone(), currency: *currency, wanted_nano });
            }
        }
        let rates = self.report_rates(elapsed);
        let report = ReportText { incarnation, is_spool_passed: false, tickets, wanted, rates };
        // Texts and numbers always serialize.
        serde_json::to_string(&report).unwrap_or_default()
    }

    fn report_rates(&self, elapsed: Duration) -> Vec<RateReport> {
        let elapsed_ms = elapsed.as_millis().max(1);
        let describe = |(limit_id, share_ppm, demand): (String, u32, u64)| {
            let demand_per_minute = u64::try_from(u128::from(demand) * 60_000 / elapsed_ms).unwrap_or(u64::MAX);
            RateReport { limit_id, share_ppm, demand_per_minute }
        };
        self.shares.report().into_iter().map(describe).collect()
    }

    /// Takes the platform's answer, whole or not at all. Leases run from when the report was made: the platform counts
    /// from when it read it, which is later.
    pub fn apply(&self, answer: &str) -> Result<(), String> {
        let answer: AnswerText = serde_json::from_str(answer).map_err(|fault| format!("credit: {fault}"))?;
        let amounts = answer.tickets.iter().map(TicketAnswer::read_amounts).collect::<Result<Vec<_>, _>>()?;
        let asked_at = *lock(&self.reported_at);
        let leased_until = asked_at + Duration::from_secs(answer.lease_s.min(LEASE_S_MAX));
        for (ticket, amounts) in answer.tickets.iter().zip(amounts) {
            let purse = self.find_purse(&ticket.holder_id, ticket.currency);
            purse.apply_ticket(&ticket.ticket_id, amounts, leased_until);
        }
        for want in &answer.refused {
            self.find_purse(&want.holder_id, want.currency).apply_refusal(want.bound);
        }
        let open: HashSet<&str> = answer.tickets.iter().map(|ticket| ticket.ticket_id.as_str()).collect();
        for purse in lock(&self.purses).values() {
            purse.keep_ticket(|id| open.contains(id));
            purse.wake();
        }
        self.apply_shares(&answer, leased_until);
        Ok(())
    }

    fn apply_shares(&self, answer: &AnswerText, leased_until: Instant) {
        let next_due = Duration::from_secs(answer.renew_s.min(LEASE_S_MAX));
        for line in &answer.rates {
            let told = Told { share_ppm: line.share_ppm, is_awaited: line.is_awaited };
            self.shares.apply(&line.limit_id, told, next_due);
        }
        self.shares.renew(answer.default_share_ppm, leased_until);
    }
}
