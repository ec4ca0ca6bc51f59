//! The score of a candidate: when its first token is expected, and what its warm tokens are worth.
//! Times are whole microseconds, so that equal inputs give equal decisions on every machine.

use serde::Serialize;

use crate::candidate::Candidate;

/// Taken where nothing was measured. Equal replicas then fall back to the least loaded, whatever this number is.
pub const PREFILL_TOKENS_PER_S_DEFAULT: u32 = 2_000;
/// What a full set of slots adds to a first token: a prefill shares the engine's steps with all that decode there.
pub const CROWDING_US: u64 = 150_000;
/// Costs within one step count as equal, and then the price decides. Less than a person notices, more than rounding.
pub const PRICE_STEP_US: i64 = 10_000;

const US_PER_S: u64 = 1_000_000;

/// The two numbers that weigh a warm candidate against an early one. How they were found, and how much depends on them:
/// docs/decisions/0023-a-call-waits-for-a-warm-replica-within-bounds.md
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// A call never waits longer than this past the earliest candidate. Times the prefill rate, it is the backlog, in
    /// tokens over the least, up to which calls stay.
    pub lateness_us_max: u64,
    /// Seconds that a call may wait for each second of prefill that warm tokens save.
    pub patience: u64,
}

impl Tuning {
    pub const DEFAULT: Self = Self { lateness_us_max: 20_000_000, patience: 9 };
}

/// A usable candidate, weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Until what was sent there before is computed.
    pub backlog_us: u64,
    /// To compute what is not warm of this call.
    pub prefill_us: u64,
    pub crowding_us: u64,
    pub link_us: u64,
    /// What the warm tokens are worth in waiting.
    pub credit_us: u64,
    pub has_free_slot: bool,
    /// Its first token comes so much later than the earliest that warmth counts for nothing.
    pub is_late: bool,
    pub price_nano: u64,
    /// It is another platform, of which only price and distance count.
    pub is_elsewhere: bool,
}

/// The order of scores: the smallest is the best. The fields are compared from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    is_full: bool,
    is_elsewhere: bool,
    cost_steps: i64,
    price_nano: u64,
    cost_us: i64,
}

impl Score {
    /// Weighs a candidate. `fastest` is the best rate among all: with one measure for what is saved, tokens that are
    /// warm everywhere are worth the same everywhere, and cancel out.
    pub fn weigh(candidate: &Candidate, prompt_tokens: u64, fastest: u32, tuning: &Tuning) -> Self {
        let warm_tokens = candidate.warm_tokens.min(prompt_tokens);
        let rate = choose_rate(candidate);
        Self {
            backlog_us: time_prefill(candidate.backlog_tokens, rate),
            prefill_us: time_prefill(prompt_tokens - warm_tokens, rate),
            crowding_us: CROWDING_US * u64::from(candidate.open_calls) / u64::from(candidate.slots.max(1)),
            link_us: candidate.link_us,
            credit_us: time_prefill(warm_tokens, fastest).saturating_mul(tuning.patience),
            has_free_slot: candidate.has_free_slot(),
            is_late: false,
            price_nano: candidate.price_nano,
            is_elsewhere: candidate.is_elsewhere(),
        }
    }

    /// When the first token is expected.
    pub const fn first_token_us(&self) -> u64 {
        self.backlog_us.saturating_add(self.prefill_us).saturating_add(self.crowding_us).saturating_add(self.link_us)
    }

    /// A late one has no credit, so it stands behind the earliest, which costs less by more than the limit.
    ///
    /// Another platform comes after own replicas with a free slot. What waits there is its own gateways' business, so of
    /// platforms the price counts first, whole, and then how far they are.
    pub fn rank(&self) -> Rank {
        if self.is_elsewhere {
            let cost_us = sign(self.link_us);
            let is_full = !self.has_free_slot;
            return Rank { is_full, is_elsewhere: true, cost_steps: 0, price_nano: self.price_nano, cost_us };
        }
        let credit_us = if self.is_late { 0 } else { self.credit_us };
        let cost_us = sign(self.first_token_us()).saturating_sub(sign(credit_us));
        Rank {
            is_full: !self.has_free_slot,
            is_elsewhere: false,
            cost_steps: cost_us.div_euclid(PRICE_STEP_US),
            price_nano: self.price_nano,
            cost_us,
        }
    }
}

/// The measured rate, or the default.
pub fn choose_rate(candidate: &Candidate) -> u32 {
    candidate.prefill_tokens_per_s.filter(|rate| *rate > 0).unwrap_or(PREFILL_TOKENS_PER_S_DEFAULT)
}

fn time_prefill(tokens: u64, tokens_per_s: u32) -> u64 {
    tokens.saturating_mul(US_PER_S) / u64::from(tokens_per_s)
}

fn sign(time_us: u64) -> i64 {
    i64::try_from(time_us).unwrap_or(i64::MAX)
}
