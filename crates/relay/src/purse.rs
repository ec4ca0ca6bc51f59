//! Credit of one holder (organization, project or key) in one currency at this gateway (R1): a ticket that grows, and the reservations of its open calls.
//! A reservation ends exactly once: settled with what the call cost, or dropped, which voids it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keisan_route::{Code, Refusal};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::currency::Currency;

/// An exchange is asked for when less than this part of the last lease is left.
const LOW_WATER_DIVISOR: u128 = 4;

/// Wakes the shell for an exchange before its time.
#[derive(Debug, Default)]
pub struct Bell {
    is_rung: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        let mut is_rung = self.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_rung {
            *is_rung = true;
            self.wake.notify_all();
        }
    }

    /// Waits until somebody rings; returns whether somebody did within the time.
    pub fn wait(&self, timeout: Duration) -> bool {
        let is_rung = self.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.wake.wait_timeout_while(is_rung, timeout, |is_rung| !*is_rung);
        let (mut is_rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *is_rung, false)
    }
}

/// A numbered transfer from a holder's escrow to this gateway. Credit, returned and spent only grow.
#[derive(Debug)]
pub struct Ticket {
    pub id: String,
    amounts: Mutex<Amounts>,
}

/// What leaves nothing more, as far as the platform says.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    Wallet,
    Budget,
    #[default]
    #[serde(other)]
    Unknown,
}

impl Bound {
    const fn tell(self) -> &'static str {
        match self {
            Self::Wallet => "; its organization's wallet has no more",
            Self::Budget => "; a budget allows no more",
            Self::Unknown => "",
        }
    }
}

/// Nano-units of the purse's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    pub credit: u128,
    pub returned: u128,
    pub spent: u128,
    pub reserved: u128,
}

impl Amounts {
    /// What may still be reserved. A call that cost more than its reservation leaves less than nothing, which is none.
    pub const fn free(&self) -> u128 {
        self.credit.saturating_sub(self.returned + self.spent + self.reserved)
    }
}

impl Ticket {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), amounts: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Amounts> {
        self.amounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn amounts(&self) -> Amounts {
        *self.lock()
    }
}

/// Credit set aside for one open call. Dropped, it is free again.
#[derive(Debug)]
pub struct Reservation {
    ticket: Arc<Ticket>,
    nano: u128,
}

impl Reservation {
    pub fn ticket_id(&self) -> &str {
        &self.ticket.id
    }

    /// Spends what the call cost; tells whether that was within what was set aside.
    pub fn settle(mut self, amount: u128) -> bool {
        let reserved = std::mem::take(&mut self.nano);
        let mut amounts = self.ticket.lock();
        amounts.reserved -= reserved;
        amounts.spent += amount;
        amount <= reserved
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.ticket.lock().reserved -= self.nano;
    }
}

/// A ticket, and until when it may be spent without another word of the platform.
#[derive(Clone, Debug)]
struct Leased {
    ticket: Arc<Ticket>,
    until: Instant,
}

impl Leased {
    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

#[derive(Debug, Default)]
struct State {
    ticket: Option<Leased>,
    /// Former tickets: those with calls still open, and those that an answer could name again.
    retired: Vec<Leased>,
    waiting_nano: u128,
    low_water: u128,
    spent_at_report: u128,
    /// How often the platform said that there is nothing more.
    refusals: u64,
    refused_by: Bound,
}

impl State {
    /// Puts the ticket of this id in force. One that was retired is the same ticket: what it spent stays spent.
    fn take_up(&mut self, id: &str, until: Instant) -> Arc<Ticket> {
        if let Some(leased) = self.ticket.as_mut().filter(|leased| leased.ticket.id == id) {
            leased.until = until;
            return Arc::clone(&leased.ticket);
        }
        self.retire();
        let known = self.retired.iter().position(|former| former.ticket.id == id);
        let ticket =
            known.map_or_else(|| Arc::new(Ticket::new(id)), |position| self.retired.swap_remove(position).ticket);
        self.spent_at_report = ticket.amounts().spent;
        self.ticket = Some(Leased { ticket: Arc::clone(&ticket), until });
        ticket
    }

    /// Nothing more is taken from the present ticket; calls that are open settle against it.
    fn retire(&mut self) {
        self.retired.extend(self.ticket.take());
        self.low_water = 0;
    }

    fn tickets(&self) -> impl Iterator<Item = &Arc<Ticket>> {
        self.ticket.iter().chain(&self.retired).map(|leased| &leased.ticket)
    }

    fn current(&self) -> Amounts {
        self.ticket.as_ref().map(|leased| leased.ticket.amounts()).unwrap_or_default()
    }
}

/// The credit of one holder in one currency.
#[derive(Debug)]
pub struct Purse {
    pub currency: Currency,
    bell: Arc<Bell>,
    changed: Notify,
    state: Mutex<State>,
}

/// What the platform is told of a purse.
#[derive(Debug)]
pub struct PurseReport {
    pub tickets: Vec<(String, Amounts)>,
    pub wanted_nano: u128,
}

/// Credit of one or more holders in one currency, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub tickets: u64,
    pub free_nano: u128,
    pub reserved_nano: u128,
    pub waiting_nano: u128,
}

impl Held {
    pub const fn add(self, other: Self) -> Self {
        Self {
            tickets: self.tickets + other.tickets,
            free_nano: self.free_nano.saturating_add(other.free_nano),
            reserved_nano: self.reserved_nano.saturating_add(other.reserved_nano),
            waiting_nano: self.waiting_nano.saturating_add(other.waiting_nano),
        }
    }
}

impl Purse {
    pub fn new(currency: Currency, bell: Arc<Bell>) -> Self {
        Self { currency, bell, changed: Notify::new(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets `nano` aside, waiting up to `wait` for the platform to lease more.
    pub async fn reserve(&self, nano: u128, wait: Duration) -> Result<Reservation, Refusal> {
        let free = match self.try_reserve(nano) {
            Ok(reservation) => return Ok(reservation),
            Err(free) => free,
        };
        let deadline = tokio::time::Instant::now() + wait;
        let waiting = self.wait_in(nano);
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            match self.try_reserve(nano) {
                Ok(reservation) => return Ok(reservation),
                Err(free) if self.lock().refusals > waiting.refusals => return Err(self.refuse_credit(nano, free)),
                Err(_) => {}
            }
            self.bell.ring();
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return Err(self.refuse_silence(nano, free));
            }
        }
    }

    fn refuse_credit(&self, nano: u128, free: u128) -> Refusal {
        let why = self.lock().refused_by.tell();
        let text = format!("this call may cost up to {nano} nano-units of {}, and {free} are left{why}", self.currency);
        Refusal::new(Code::InsufficientCredit, text)
    }

    fn refuse_silence(&self, nano: u128, free: u128) -> Refusal {
        let currency = self.currency;
        let text = format!(
            "this call may cost up to {nano} nano-units of {currency}, of which this gateway holds {free}; more is on its way"
        );
        Refusal::new(Code::CreditUnavailable, text).after(1_000)
    }

    fn wait_in(&self, nano: u128) -> Waiting<'_> {
        let mut state = self.lock();
        state.waiting_nano += nano;
        Waiting { purse: self, nano, refusals: state.refusals }
    }

    /// The error is the credit that is free.
    fn try_reserve(&self, nano: u128) -> Result<Reservation, u128> {
        let mut state = self.lock();
        let Some(leased) = state.ticket.as_ref().filter(|leased| !leased.is_over()) else {
            return Err(0);
        };
        let ticket = Arc::clone(&leased.ticket);
        let mut amounts = ticket.lock();
        let free = amounts.free();
        if nano > free {
            return Err(free);
        }
        amounts.reserved += nano;
        drop(amounts);
        if free - nano < state.low_water {
            state.low_water = 0;
            self.bell.ring();
        }
        Ok(Reservation { ticket, nano })
    }

    /// What is held, spent and wanted: enough for those who wait, and for twice what was spent since the last report.
    pub fn report(&self) -> PurseReport {
        let mut state = self.lock();
        state.retired.retain(|former| former.ticket.amounts().reserved > 0 || !former.is_over());
        let amounts = state.current();
        let recent = amounts.spent.saturating_sub(state.spent_at_report);
        state.spent_at_report = amounts.spent;
        let ahead = (2 * recent + amounts.reserved).max(state.waiting_nano);
        PurseReport {
            tickets: state.tickets().map(|ticket| (ticket.id.clone(), ticket.amounts())).collect(),
            wanted_nano: ahead.saturating_sub(amounts.free()),
        }
    }

    /// What is held now.
    pub fn sum_up(&self) -> Held {
        let state = self.lock();
        let reserved = state.tickets().map(|ticket| ticket.amounts().reserved);
        Held {
            tickets: state.tickets().count() as u64,
            free_nano: state.current().free(),
            reserved_nano: reserved.fold(0, u128::saturating_add),
            waiting_nano: state.waiting_nano,
        }
    }

    /// Takes what the platform says of this holder's ticket; a total that is lower than known is an old answer.
    pub fn apply_ticket(&self, id: &str, (credit, give_back): (u128, u128), lease_until: Instant) {
        let mut state = self.lock();
        let ticket = state.take_up(id, lease_until);
        let mut amounts = ticket.lock();
        amounts.credit = amounts.credit.max(credit);
        amounts.returned += give_back.min(amounts.free());
        state.low_water = amounts.free() / LOW_WATER_DIVISOR;
    }

    /// Spends no more from a ticket that the platform does not name among the open ones: it was closed.
    pub fn keep_ticket(&self, is_open: impl Fn(&str) -> bool) {
        let mut state = self.lock();
        if state.ticket.as_ref().is_some_and(|leased| !is_open(&leased.ticket.id)) {
            state.retire();
        }
    }

    /// Whether nothing is held here that the platform is still to hear of.
    pub fn is_empty(&self) -> bool {
        self.lock().tickets().next().is_none()
    }

    /// The platform has nothing more for this holder.
    pub fn apply_refusal(&self, bound: Bound) {
        let mut state = self.lock();
        state.refusals += 1;
        state.refused_by = bound;
    }

    /// Lets those who wait look again.
    pub fn wake(&self) {
        self.changed.notify_waiters();
    }
}

/// A call that waits for credit; counted as long as it does.
struct Waiting<'a> {
    purse: &'a Purse,
    nano: u128,
    refusals: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.purse.lock().waiting_nano -= self.nano;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    fn purse(credit: u128) -> Purse {
        let purse = Purse::new(Currency::parse("CNY").unwrap(), Arc::default());
        purse.apply_ticket("t", (credit, 0), Instant::now() + LONG);
        purse
    }

    #[tokio::test]
    async fn what_is_reserved_is_spent_or_free_again() {
        let purse = purse(100);
        let first = purse.reserve(60, SOON).await.unwrap();
        assert_eq!(purse.reserve(50, SOON).await.unwrap_err().code, Code::CreditUnavailable);
        assert!(first.settle(20));
        let second = purse.reserve(80, SOON).await.unwrap();
        drop(second);
        assert!(!purse.reserve(10, SOON).await.unwrap().settle(15));
        let amounts = purse.report().tickets[0].1;
        assert_eq!(amounts, Amounts { credit: 100, returned: 0, spent: 35, reserved: 0 });
        let held = Held { tickets: 1, free_nano: 65, ..Held::default() };
        assert_eq!(purse.sum_up().add(purse.sum_up()), Held { tickets: 2, free_nano: 130, ..held });
    }

    #[tokio::test]
    async fn a_call_waits_for_more() {
        let purse = purse(10);
        let waits = purse.reserve(50, LONG);
        let leases = async {
            while purse.report().wanted_nano == 0 {
                tokio::task::yield_now().await;
            }
            assert!(purse.bell.wait(Duration::ZERO));
            purse.apply_ticket("t", (60, 0), Instant::now() + LONG);
            purse.wake();
        };
        let (waited, ()) = tokio::join!(waits, leases);
        assert_eq!(waited.unwrap().ticket_id(), "t");
        assert_eq!(purse.report().wanted_nano, 0);
    }

    #[tokio::test]
    async fn a_refusal_names_both_numbers() {
        let purse = purse(10);
        let waits = purse.reserve(50, LONG);
        let refuses = async {
            while purse.report().wanted_nano == 0 {
                tokio::task::yield_now().await;
            }
            purse.apply_refusal(Bound::Budget);
            purse.wake();
        };
        let (waited, ()) = tokio::join!(waits, refuses);
        let refusal = waited.unwrap_err();
        assert_eq!(refusal.code, Code::InsufficientCredit);
        assert!(
            refusal.message.contains("50") && refusal.message.ends_with("10 are left; a budget allows no more"),
            "{}",
            refusal.message
        );
    }

    #[tokio::test]
    async fn a_lease_that_ended_admits_nobody_and_keeps_what_is_open() {
        let purse = purse(100);
        let open = purse.reserve(10, SOON).await.unwrap();
        purse.apply_ticket("t", (100, 0), Instant::now());
        assert!(purse.reserve(1, SOON).await.is_err());
        purse.apply_ticket("t2", (50, 0), Instant::now() + LONG);
        assert_eq!(purse.reserve(50, SOON).await.unwrap().ticket_id(), "t2");
        assert_eq!(purse.report().tickets.len(), 2);
        let held = Held { tickets: 2, free_nano: 50, reserved_nano: 10, waiting_nano: 0 };
        assert_eq!(purse.sum_up(), held);
        assert!(open.settle(10));
        assert_eq!(purse.report().tickets.len(), 1);
    }

    #[test]
    fn only_free_credit_is_given_back_and_old_answers_take_nothing() {
        let purse = purse(100);
        let _open = purse.try_reserve(70).unwrap();
        purse.apply_ticket("t", (90, 50), Instant::now() + LONG);
        let amounts = purse.report().tickets[0].1;
        assert_eq!((amounts.credit, amounts.returned, amounts.free()), (100, 30, 0));
    }

    #[test]
    fn little_left_rings_the_bell() {
        let purse = purse(100);
        let _open = purse.try_reserve(70).unwrap();
        assert!(!purse.bell.wait(Duration::ZERO));
        let _more = purse.try_reserve(10).unwrap();
        assert!(purse.bell.wait(Duration::ZERO));
        assert!(!purse.bell.wait(Duration::ZERO));
    }
}
