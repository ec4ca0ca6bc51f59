//! Limits in force (R4): requests and tokens per minute, calls open at a time, of a key, its project, its organization.
//! What a snapshot says of a limit is a value; its meter outlasts snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use keisan_route::{CallBounds, Code, Dry, Rate, Refusal};

/// A share that was never leased: the gateway's default counts.
const SHARE_UNSET: u32 = u32::MAX;
pub const SHARE_WHOLE: u32 = 1_000_000;
/// What a full bucket of requests gives at once: ten seconds' worth.
const REQUESTS_BURST_NS: u64 = 10_000_000_000;
/// A call reserves the most that it can come to, so a bucket of tokens holds a whole minute's worth.
const TOKENS_BURST_NS: u64 = 60_000_000_000;
/// When to come again for a share that the platform has not told of yet.
const SHARE_RETRY_MS: u64 = 1_000;
pub const OWNERS: [&str; 3] = ["organization", "project", "key"];

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    Requests,
    Tokens,
    Calls,
}

impl LimitKind {
    pub const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::Calls];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Calls => "calls",
        }
    }
}

/// The living side of one limit.
#[derive(Debug)]
pub struct Meter {
    full_at_ns: AtomicU64,
    open_calls: AtomicU64,
    share_ppm: AtomicU32,
    /// Asked for since the last report, admitted or not.
    demand: AtomicU64,
    /// Somebody asked before the last report, so what is said of the limit is an answer.
    is_asked: AtomicBool,
    /// Until then it is known that there is nothing for this gateway.
    denied_until_ns: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            full_at_ns: AtomicU64::new(0),
            open_calls: AtomicU64::new(0),
            share_ppm: AtomicU32::new(SHARE_UNSET),
            demand: AtomicU64::new(0),
            is_asked: AtomicBool::new(false),
            denied_until_ns: AtomicU64::new(0),
        }
    }
}

impl Meter {
    /// Takes what the platform says; `denied_until_ns` if that is nothing, and nothing is on its way.
    pub fn set_share(&self, share_ppm: u32, denied_until_ns: Option<u64>) {
        if let Some(until_ns) = denied_until_ns.filter(|_| self.is_asked.load(Ordering::Relaxed)) {
            self.denied_until_ns.store(until_ns, Ordering::Release);
        }
        self.share_ppm.store(share_ppm.min(SHARE_WHOLE), Ordering::Release);
    }

    pub fn forget_share(&self) {
        self.share_ppm.store(SHARE_UNSET, Ordering::Release);
    }

    pub fn share_ppm(&self, default_ppm: u32) -> u32 {
        match self.share_ppm.load(Ordering::Acquire) {
            SHARE_UNSET => default_ppm,
            share_ppm => share_ppm,
        }
    }

    pub fn count_demand(&self, amount: u64) {
        self.demand.fetch_add(amount, Ordering::Relaxed);
    }

    pub fn take_demand(&self) -> u64 {
        let demand = self.demand.swap(0, Ordering::AcqRel);
        self.is_asked.store(demand > 0, Ordering::Relaxed);
        demand
    }

    /// The share that is in force now; nothing, unless it is leased.
    fn share_at(&self, moment: Moment) -> u32 {
        if moment.is_leased { self.share_ppm(moment.default_share_ppm) } else { 0 }
    }

    /// Whether this gateway has no share, and the platform has not said since somebody asked that it gets none.
    fn is_unanswered(&self, moment: Moment) -> bool {
        self.share_at(moment) == 0 && self.denied_until_ns.load(Ordering::Acquire) <= moment.now_ns
    }

    /// Takes from the bucket; returns the time of filling that was taken.
    fn take(&self, rate: &Rate, now_ns: u64, amount: u64) -> Result<u64, Dry> {
        let mut dry = None;
        let taken = self.full_at_ns.fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at_ns| {
            rate.take(full_at_ns, now_ns, amount).map_err(|reason| dry = Some(reason)).ok()
        });
        match (taken, dry) {
            (Ok(_), _) => Ok(rate.compute_time_ns(amount).unwrap_or(0)),
            (Err(_), reason) => Err(reason.unwrap_or(Dry::Never)),
        }
    }

    fn give_back(&self, time_ns: u64) {
        let sooner = |full_at_ns: u64| Some(full_at_ns.saturating_sub(time_ns));
        // The closure always gives a value.
        let _ = self.full_at_ns.fetch_update(Ordering::AcqRel, Ordering::Acquire, sooner);
    }
}

/// A limit as one snapshot tells it.
#[derive(Clone, Debug)]
pub struct Limit {
    pub most: u64,
    pub meter: Arc<Meter>,
}

/// The limits of one owner: an organization, a project or a key.
#[derive(Clone, Debug, Default)]
pub struct OwnerLimits {
    pub requests: Option<Limit>,
    pub tokens: Option<Limit>,
    pub calls: Option<Limit>,
    pub body_bytes_max: Option<u64>,
}

/// All limits on a call, from the organization down to the key.
pub type CallLimits = [OwnerLimits; OWNERS.len()];

/// Why a call is not admitted: whose limit, by its place in `OWNERS`, and of what kind.
#[derive(Debug)]
pub struct LimitReached {
    pub owner: usize,
    pub kind: LimitKind,
    /// Whether the platform's answer may change that.
    pub is_unanswered: bool,
    pub refusal: Refusal,
}

/// What a call is measured by.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now_ns: u64,
    pub default_share_ppm: u32,
    /// Whether shares are in force.
    pub is_leased: bool,
}

/// Counts what a call asks for, of every limit at once, so that one exchange can bring all the shares that it lacks.
pub fn count_demand(limits: &CallLimits, bounds: &CallBounds) {
    let tokens = bounds.count_tokens();
    for owner in limits {
        for (limit, amount) in [(&owner.requests, 1), (&owner.tokens, tokens), (&owner.calls, 1)] {
            if let Some(limit) = limit {
                limit.meter.count_demand(amount);
            }
        }
    }
}

/// What a call took of its limits. Dropped, all of it is given back: the call was not forwarded.
#[derive(Debug)]
pub struct LimitHold {
    limits: Arc<CallLimits>,
    requests_ns: [u64; OWNERS.len()],
    tokens_ns: [u64; OWNERS.len()],
    is_counted: [bool; OWNERS.len()],
    tokens: u64,
}

impl LimitHold {
    /// Takes what a call needs of every limit, or nothing.
    pub fn take(limits: Arc<CallLimits>, bounds: &CallBounds, moment: Moment) -> Result<Self, LimitReached> {
        let tokens = bounds.count_tokens();
        let none = [0; OWNERS.len()];
        let mut hold = Self { limits, requests_ns: none, tokens_ns: none, is_counted: [false; OWNERS.len()], tokens };
        for owner in 0..OWNERS.len() {
            hold.take_of(owner, moment)?;
        }
        Ok(hold)
    }

    fn take_of(&mut self, owner: usize, moment: Moment) -> Result<(), LimitReached> {
        let reach = |limit: &Limit, kind, refusal| {
            let is_unanswered = limit.meter.is_unanswered(moment);
            let refusal = if is_unanswered { refuse_unanswered(OWNERS[owner], kind, limit.most) } else { refusal };
            LimitReached { owner, kind, is_unanswered, refusal }
        };
        let limits = &self.limits[owner];
        if let Some(limit) = &limits.calls {
            self.is_counted[owner] = enter(limit, moment);
            if !self.is_counted[owner] {
                return Err(reach(limit, LimitKind::Calls, refuse_open(OWNERS[owner], limit.most)));
            }
        }
        if let Some(limit) = &limits.requests {
            let taken = take_rate(limit, (1, REQUESTS_BURST_NS), moment);
            let refuse = |dry| refuse_rate((OWNERS[owner], LimitKind::Requests), (limit.most, 1), dry);
            self.requests_ns[owner] = taken.map_err(|dry| reach(limit, LimitKind::Requests, refuse(dry)))?;
        }
        if let Some(limit) = &limits.tokens {
            let taken = take_rate(limit, (self.tokens, TOKENS_BURST_NS), moment);
            let refuse = |dry| refuse_rate((OWNERS[owner], LimitKind::Tokens), (limit.most, self.tokens), dry);
            self.tokens_ns[owner] = taken.map_err(|dry| reach(limit, LimitKind::Tokens, refuse(dry)))?;
        }
        Ok(())
    }

    /// The call was forwarded and came to so many tokens: only those count.
    pub fn settle(mut self, tokens: u64) {
        let unused = self.tokens.saturating_sub(tokens);
        for (owner, limits) in self.limits.iter().enumerate() {
            if let Some(limit) = &limits.tokens {
                let unused_ns = u128::from(self.tokens_ns[owner]) * u128::from(unused) / u128::from(self.tokens.max(1));
                limit.meter.give_back(u64::try_from(unused_ns).unwrap_or(0));
            }
        }
        self.requests_ns = [0; OWNERS.len()];
        self.tokens_ns = [0; OWNERS.len()];
    }
}

impl Drop for LimitHold {
    fn drop(&mut self) {
        for (owner, limits) in self.limits.iter().enumerate() {
            if let (Some(limit), true) = (&limits.calls, self.is_counted[owner]) {
                limit.meter.open_calls.fetch_sub(1, Ordering::AcqRel);
            }
            if let Some(limit) = limits.requests.as_ref().filter(|_| self.requests_ns[owner] > 0) {
                limit.meter.give_back(self.requests_ns[owner]);
            }
            if let Some(limit) = limits.tokens.as_ref().filter(|_| self.tokens_ns[owner] > 0) {
                limit.meter.give_back(self.tokens_ns[owner]);
            }
        }
    }
}

fn take_rate(limit: &Limit, (amount, burst_ns): (u64, u64), moment: Moment) -> Result<u64, Dry> {
    let share_ppm = limit.meter.share_at(moment);
    limit.meter.take(&Rate { per_minute: limit.most, share_ppm, burst_ns }, moment.now_ns, amount)
}

/// Counts a call as open, unless this gateway's share of the limit is used up.
fn enter(limit: &Limit, moment: Moment) -> bool {
    let share_ppm = u128::from(limit.meter.share_at(moment));
    let most = u128::from(limit.most) * share_ppm / u128::from(SHARE_WHOLE);
    let one_more = |open: u64| (u128::from(open) < most).then_some(open + 1);
    limit.meter.open_calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).is_ok()
}

fn refuse_open(owner: &str, most: u64) -> Refusal {
    Refusal::new(Code::CallsLimitExceeded, describe_limit(owner, LimitKind::Calls, most))
}

fn describe_limit(owner: &str, kind: LimitKind, most: u64) -> String {
    match kind {
        LimitKind::Calls => format!("this {owner} may have {most} calls open at a time"),
        LimitKind::Requests | LimitKind::Tokens => format!("this {owner} may use {most} {} per minute", kind.name()),
    }
}

/// The answer is awaited, but not for ever; without it nothing is served (fails closed).
fn refuse_unanswered(owner: &str, kind: LimitKind, most: u64) -> Refusal {
    let code = if kind == LimitKind::Calls { Code::CallsLimitExceeded } else { Code::RateLimitExceeded };
    let limit = describe_limit(owner, kind, most);
    Refusal::new(code, format!("{limit}; this gateway has asked for its share, and holds none")).after(SHARE_RETRY_MS)
}

fn refuse_rate((owner, kind): (&str, LimitKind), (most, amount): (u64, u64), dry: Dry) -> Refusal {
    let limit = describe_limit(owner, kind, most);
    match dry {
        Dry::Wait { ns } => Refusal::new(Code::RateLimitExceeded, limit).after(ns.div_ceil(1_000_000)),
        Dry::Never if amount > most => {
            Refusal::new(Code::RateLimitExceeded, format!("{limit}, and this call may come to {amount}"))
        }
        Dry::Never => Refusal::new(Code::RateLimitExceeded, format!("{limit}; other gateways use them at the moment")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Moment = Moment { now_ns: 1, default_share_ppm: SHARE_WHOLE, is_leased: true };
    const BOUNDS: CallBounds =
        CallBounds { body_bytes: 90, template_tokens_max: 10, context_tokens: 1_000, output_tokens_max: 100 };

    fn limit(most: u64) -> Limit {
        Limit { most, meter: Arc::default() }
    }

    fn build(requests: Option<Limit>, tokens: Option<Limit>, calls: Option<Limit>) -> Arc<CallLimits> {
        let key = OwnerLimits { requests, tokens, calls, body_bytes_max: None };
        Arc::new([OwnerLimits::default(), OwnerLimits::default(), key])
    }

    fn take(limits: &Arc<CallLimits>) -> Result<LimitHold, Refusal> {
        LimitHold::take(Arc::clone(limits), &BOUNDS, MOMENT).map_err(|reached| reached.refusal)
    }

    #[test]
    fn open_calls_are_counted_and_come_back() {
        let limits = build(None, None, Some(limit(2)));
        let first = take(&limits).unwrap();
        let second = take(&limits).unwrap();
        let refusal = take(&limits).unwrap_err();
        assert_eq!(refusal.code, Code::CallsLimitExceeded);
        assert!(refusal.message.contains("key") && refusal.message.contains('2'));
        drop(first);
        second.settle(0);
        assert!(take(&limits).is_ok());
    }

    #[test]
    fn a_call_that_was_not_forwarded_costs_nothing() {
        let limits = build(Some(limit(6)), Some(limit(400)), None);
        for _ in 0..50 {
            drop(take(&limits).unwrap());
        }
        take(&limits).unwrap().settle(200);
        let refusal = take(&limits).unwrap_err();
        assert_eq!(refusal.code, Code::RateLimitExceeded);
        assert!(refusal.retry_after_ms.is_some_and(|wait_ms| (9_000..10_002).contains(&wait_ms)), "{refusal:?}");
    }

    #[test]
    fn tokens_are_corrected_at_the_end() {
        let limits = build(None, Some(limit(400)), None);
        for _ in 0..10 {
            take(&limits).unwrap().settle(10);
        }
        let held = take(&limits).unwrap();
        assert!(take(&limits).unwrap_err().message.contains("400 tokens"));
        held.settle(200);
        assert!(take(&limits).is_err());
    }

    #[test]
    fn a_refusal_by_one_limit_takes_nothing_of_the_others() {
        let project = OwnerLimits { requests: Some(limit(6)), ..OwnerLimits::default() };
        let key = OwnerLimits { tokens: Some(limit(10)), ..OwnerLimits::default() };
        let limits = Arc::new([OwnerLimits::default(), project, key]);
        let refusal = take(&limits).unwrap_err();
        assert!(refusal.message.contains("may come to 200"), "{}", refusal.message);
        let meter = &limits[1].requests.as_ref().unwrap().meter;
        assert!(meter.full_at_ns.load(Ordering::Relaxed) <= MOMENT.now_ns);
    }

    #[test]
    fn a_share_bounds_what_this_gateway_admits() {
        let limits = build(Some(limit(600)), None, Some(limit(10)));
        let (requests, calls) = (limits[2].requests.as_ref().unwrap(), limits[2].calls.as_ref().unwrap());
        calls.meter.set_share(200_000, None);
        let _held = [take(&limits).unwrap(), take(&limits).unwrap()];
        assert!(take(&limits).is_err());
        calls.meter.set_share(SHARE_WHOLE, None);
        count_demand(&limits, &BOUNDS);
        assert_eq!(requests.meter.take_demand(), 1);
        requests.meter.set_share(0, Some(2));
        assert!(take(&limits).unwrap_err().message.contains("other gateways"));
    }

    fn reach(limits: &Arc<CallLimits>, moment: Moment) -> LimitReached {
        LimitHold::take(Arc::clone(limits), &BOUNDS, moment).unwrap_err()
    }

    #[test]
    fn a_share_that_nobody_was_told_of_is_no_refusal_yet() {
        let limits = build(Some(limit(600)), None, Some(limit(10)));
        let unshared = Moment { default_share_ppm: 0, ..MOMENT };
        assert!(reach(&limits, unshared).is_unanswered);
        let meter = &limits[2].calls.as_ref().unwrap().meter;
        assert_eq!(meter.take_demand(), 0);
        meter.set_share(0, Some(5));
        assert!(reach(&limits, unshared).is_unanswered, "nobody had asked when that was said");
        count_demand(&limits, &BOUNDS);
        assert_eq!(meter.take_demand(), 1);
        meter.set_share(0, Some(5));
        assert!(!reach(&limits, unshared).is_unanswered);
        assert!(reach(&limits, Moment { now_ns: 5, ..unshared }).is_unanswered, "who comes later asks again");
        meter.set_share(SHARE_WHOLE, None);
        let reached = reach(&limits, unshared);
        assert_eq!((reached.kind, reached.is_unanswered), (LimitKind::Requests, true));
    }

    #[test]
    fn without_a_lease_no_share_is_used() {
        let limits = build(Some(limit(600)), None, None);
        limits[2].requests.as_ref().unwrap().meter.set_share(SHARE_WHOLE, None);
        assert!(take(&limits).is_ok());
        let reached = reach(&limits, Moment { is_leased: false, ..MOMENT });
        assert_eq!((reached.is_unanswered, reached.refusal.code), (true, Code::RateLimitExceeded));
        assert!(reached.refusal.retry_after_ms.is_some());
    }

    #[test]
    fn a_call_asks_for_all_its_limits_at_once() {
        let limits = build(Some(limit(600)), Some(limit(9_000)), Some(limit(10)));
        count_demand(&limits, &BOUNDS);
        let key = &limits[2];
        let demands = [&key.requests, &key.tokens, &key.calls].map(|limit| limit.as_ref().unwrap().meter.take_demand());
        assert_eq!(demands, [1, BOUNDS.count_tokens(), 1]);
    }
}
