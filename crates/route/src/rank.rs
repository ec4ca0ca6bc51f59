//! Which candidates may serve a call, best first, and why.
//!
//! The rule: leave out what may not serve; prefer a free slot; of those, take the smallest predicted time to the first
//! token less what warm tokens are worth, never later than the earliest candidate by more than the tuning allows.

use serde::Serialize;

use crate::candidate::{Candidate, Exclusion};
use crate::score::{Rank, Score, Tuning, choose_rate};

/// What the decision must know of a call.
#[derive(Clone, Copy, Debug)]
pub struct CallShape {
    pub prompt_tokens: u64,
    /// Counted up by the caller: candidates that are equal in everything are taken in turn.
    pub turn: usize,
}

/// How a candidate stands with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Excluded(Exclusion),
    Scored(Score),
}

/// Returns the positions of the usable candidates, best first.
pub fn rank(candidates: &[Candidate], call: CallShape, tuning: &Tuning) -> Vec<usize> {
    let count = candidates.len();
    let mut ranked: Vec<(Rank, usize, usize)> = Vec::with_capacity(count);
    for (position, standing) in explain(candidates, call, tuning).into_iter().enumerate() {
        if let Standing::Scored(score) = standing {
            let place = (position + count - call.turn % count) % count;
            ranked.push((score.rank(), place, position));
        }
    }
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, _, position)| position).collect()
}

/// Returns how each candidate stands, in the order given.
pub fn explain(candidates: &[Candidate], call: CallShape, tuning: &Tuning) -> Vec<Standing> {
    let usable =
        candidates.iter().filter(|candidate| !candidate.is_elsewhere() && candidate.find_exclusion().is_none());
    let fastest = usable.map(choose_rate).max().unwrap_or(1);
    let mut standings: Vec<Standing> = candidates
        .iter()
        .map(|candidate| match candidate.find_exclusion() {
            Some(exclusion) => Standing::Excluded(exclusion),
            None => Standing::Scored(Score::weigh(candidate, call.prompt_tokens, fastest, tuning)),
        })
        .collect();
    mark_late(&mut standings, tuning.lateness_us_max);
    standings
}

/// Marks what comes too late, among candidates with a free slot and among full ones apart: a full one's wait for a slot
/// is not predicted, so neither kind is a measure for the other.
fn mark_late(standings: &mut [Standing], lateness_us_max: u64) {
    let mut earliest_us = [u64::MAX; 2];
    for standing in &*standings {
        // Nobody here knows what waits at another platform.
        if let Standing::Scored(score @ Score { is_elsewhere: false, .. }) = standing {
            let earliest_us = &mut earliest_us[usize::from(score.has_free_slot)];
            *earliest_us = score.first_token_us().min(*earliest_us);
        }
    }
    for standing in standings {
        if let Standing::Scored(score) = standing {
            let latest_us = earliest_us[usize::from(score.has_free_slot)].saturating_add(lateness_us_max);
            score.is_late = score.first_token_us() > latest_us;
        }
    }
}
