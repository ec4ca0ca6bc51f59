//! The exchange with the platform (R1, R4): what this gateway holds, spent and wants, and what it is leased.
//! The Python shell carries the texts; `keisan.wire.credit` is the other side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::limiter::{Meter, SHARE_WHOLE};
use crate::purse::{Amounts, Bell, Held, Purse};

#[derive(Serialize)]
struct ReportText<'a> {
    incarnation: &'a str,
    is_spool_passed: bool,
    tickets: Vec<TicketReport>,
    wanted: Vec<Want>,
    rates: Vec<RateReport>,
}

#[derive(Serialize)]
struct TicketReport {
    ticket_id: String,
    spent_nano: String,
    reserved_nano: String,
    returned_nano: String,
}

#[derive(Serialize)]
struct Want {
    organization_id: String,
    wanted_nano: String,
}

#[derive(Serialize)]
struct RateReport {
    limit_id: String,
    share_ppm: u32,
    demand_per_minute: u64,
}

#[derive(Deserialize)]
struct AnswerText {
    lease_s: u64,
    tickets: Vec<TicketAnswer>,
    #[serde(default)]
    refused: Vec<String>,
    #[serde(default)]
    rates: Vec<ShareAnswer>,
    default_share_ppm: u32,
}

#[derive(Deserialize)]
struct TicketAnswer {
    ticket_id: String,
    organization_id: String,
    credit_nano: String,
    give_back_nano: String,
}

#[derive(Deserialize)]
struct ShareAnswer {
    limit_id: String,
    share_ppm: u32,
}

/// All tickets and shares of one gateway process.
#[derive(Debug)]
pub struct CreditBook {
    pub bell: Arc<Bell>,
    default_share_ppm: AtomicU32,
    purses: Mutex<HashMap<String, Arc<Purse>>>,
    meters: Mutex<HashMap<String, Arc<Meter>>>,
    reported_at: Mutex<Instant>,
}

impl Default for CreditBook {
    fn default() -> Self {
        Self {
            bell: Arc::default(),
            // Until the platform has said what this gateway may use, limited keys are not served.
            default_share_ppm: AtomicU32::new(0),
            purses: Mutex::default(),
            meters: Mutex::default(),
            reported_at: Mutex::new(Instant::now()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CreditBook {
    pub fn default_share_ppm(&self) -> u32 {
        self.default_share_ppm.load(Ordering::Acquire)
    }

    pub fn find_purse(&self, organization_id: &str) -> Arc<Purse> {
        let mut purses = lock(&self.purses);
        if let Some(purse) = purses.get(organization_id) {
            return Arc::clone(purse);
        }
        let purse = Arc::new(Purse::new(Arc::clone(&self.bell)));
        purses.insert(organization_id.to_owned(), Arc::clone(&purse));
        purse
    }

    pub fn find_meter(&self, limit_id: &str) -> Arc<Meter> {
        let mut meters = lock(&self.meters);
        if let Some(meter) = meters.get(limit_id) {
            return Arc::clone(meter);
        }
        let meter = Arc::<Meter>::default();
        meters.insert(limit_id.to_owned(), Arc::clone(&meter));
        meter
    }

    /// What is held for all organizations together.
    pub fn sum_up(&self) -> Held {
        lock(&self.purses).values().map(|purse| purse.sum_up()).fold(Held::default(), Held::add)
    }

    /// Forgets what no snapshot and no open call names any more.
    pub fn sweep(&self) {
        lock(&self.meters).retain(|_, meter| Arc::strong_count(meter) > 1);
        lock(&self.purses).retain(|_, purse| Arc::strong_count(purse) > 1 || !purse.report().tickets.is_empty());
    }

    /// Returns the report as JSON; demand is counted anew from here.
    pub fn report(&self, incarnation: &str) -> String {
        let now = Instant::now();
        let elapsed = now.duration_since(std::mem::replace(&mut *lock(&self.reported_at), now));
        let (mut tickets, mut wanted) = (Vec::new(), Vec::new());
        for (organization_id, purse) in &*lock(&self.purses) {
            let report = purse.report();
            tickets.extend(report.tickets.into_iter().map(describe_ticket));
            if report.wanted_nano > 0 {
                let wanted_nano = report.wanted_nano.to_string();
                wanted.push(Want { organization_id: organization_id.clone(), wanted_nano });
            }
        }
        let rates = self.report_rates(elapsed);
        let report = ReportText { incarnation, is_spool_passed: false, tickets, wanted, rates };
        // Texts and numbers always serialize.
        serde_json::to_string(&report).unwrap_or_default()
    }

    fn report_rates(&self, elapsed: Duration) -> Vec<RateReport> {
        let default_ppm = self.default_share_ppm();
        let elapsed_ms = elapsed.as_millis().max(1);
        let describe = |(limit_id, meter): (&String, &Arc<Meter>)| RateReport {
            limit_id: limit_id.clone(),
            share_ppm: meter.share_ppm(default_ppm),
            demand_per_minute: u64::try_from(u128::from(meter.take_demand()) * 60_000 / elapsed_ms).unwrap_or(u64::MAX),
        };
        lock(&self.meters).iter().map(describe).collect()
    }

    /// Takes the platform's answer, whole or not at all. The lease runs from `asked_at`, when the report was made.
    pub fn apply(&self, answer: &str) -> Result<(), String> {
        let answer: AnswerText = serde_json::from_str(answer).map_err(|fault| format!("credit: {fault}"))?;
        let amounts = answer.tickets.iter().map(read_amounts).collect::<Result<Vec<_>, _>>()?;
        let asked_at = *lock(&self.reported_at);
        let lease_until = asked_at + Duration::from_secs(answer.lease_s.min(LEASE_S_MAX));
        self.default_share_ppm.store(answer.default_share_ppm.min(SHARE_WHOLE), Ordering::Release);
        for share in &answer.rates {
            self.find_meter(&share.limit_id).set_share(share.share_ppm);
        }
        for (ticket, amounts) in answer.tickets.iter().zip(amounts) {
            self.find_purse(&ticket.organization_id).apply_ticket(&ticket.ticket_id, amounts, lease_until);
        }
        for organization_id in &answer.refused {
            self.find_purse(organization_id).apply_refusal();
        }
        for purse in lock(&self.purses).values() {
            purse.wake();
        }
        Ok(())
    }
}

/// A week bounds every lease, so that no sum of times overflows.
const LEASE_S_MAX: u64 = 7 * 86_400;

fn read_amounts(ticket: &TicketAnswer) -> Result<(u128, u128), String> {
    let read = |text: &str| text.parse().map_err(|_| format!("credit: expected a decimal string, got '{text}'"));
    Ok((read(&ticket.credit_nano)?, read(&ticket.give_back_nano)?))
}

fn describe_ticket((ticket_id, amounts): (String, Amounts)) -> TicketReport {
    TicketReport {
        ticket_id,
        spent_nano: amounts.spent.to_string(),
        reserved_nano: amounts.reserved.to_string(),
        returned_nano: amounts.returned.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn apply(book: &CreditBook, tickets: &Value, refused: &Value, rates: &Value) {
        let answer = json!({"lease_s": 60, "renew_s": 10, "tickets": tickets, "refused": refused, "rates": rates,
            "default_share_ppm": 500_000});
        book.apply(&answer.to_string()).unwrap();
    }

    fn report(book: &CreditBook) -> Value {
        serde_json::from_str(&book.report("inc")).unwrap()
    }

    #[tokio::test]
    async fn what_is_leased_is_spent_and_reported() {
        let book = CreditBook::default();
        let purse = book.find_purse("o");
        apply(
            &book,
            &json!([{"ticket_id": "t", "organization_id": "o", "credit_nano": "340282366920938463463374607431768211455", "give_back_nano": "0"}]),
            &json!([]),
            &json!([]),
        );
        assert!(purse.reserve(70, Duration::ZERO).await.unwrap().settle(7));
        assert_eq!(
            report(&book)["tickets"],
            json!([{"ticket_id": "t", "spent_nano": "7", "reserved_nano": "0", "returned_nano": "0"}])
        );
        assert_eq!(report(&book)["incarnation"], "inc");
    }

    #[tokio::test]
    async fn an_organization_in_want_is_named() {
        let book = CreditBook::default();
        let purse = book.find_purse("o");
        let waits = purse.reserve(70, Duration::from_secs(20));
        let exchange = async {
            while report(&book)["wanted"] != json!([{"organization_id": "o", "wanted_nano": "70"}]) {
                tokio::task::yield_now().await;
            }
            apply(&book, &json!([]), &json!(["o"]), &json!([]));
        };
        assert!(tokio::join!(waits, exchange).0.is_err());
        assert_eq!(report(&book)["wanted"], json!([]));
    }

    #[test]
    fn shares_are_applied_and_reported() {
        let book = CreditBook::default();
        let meter = book.find_meter("key:k:requests");
        assert_eq!(meter.share_ppm(book.default_share_ppm()), 0);
        apply(&book, &json!([]), &json!([]), &json!([]));
        assert_eq!(meter.share_ppm(book.default_share_ppm()), 500_000);
        apply(&book, &json!([]), &json!([]), &json!([{"limit_id": "key:k:requests", "share_ppm": 900_000}]));
        assert_eq!(report(&book)["rates"][0]["share_ppm"], 900_000);
        drop(meter);
        book.sweep();
        assert_eq!(report(&book)["rates"], json!([]));
    }

    #[test]
    fn an_answer_that_cannot_be_read_changes_nothing() {
        let book = CreditBook::default();
        let odd = json!({"lease_s": 60, "tickets": [{"ticket_id": "t", "organization_id": "o", "credit_nano": "1.5",
            "give_back_nano": "0"}], "default_share_ppm": 1_000_000});
        assert!(book.apply(&odd.to_string()).unwrap_err().contains("1.5"));
        assert!(book.apply("{").is_err());
        assert_eq!(book.default_share_ppm(), 0);
    }
}
