//! Which replicas may serve a call, best first: a filter that fails closed, then a score.

use serde::Deserialize;

/// What is known of a replica's health (D5). A word of a later version reads as unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    Failed,
    #[serde(other)]
    Unknown,
}

/// A replica as the decision sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Every policy in force admits it.
    pub is_allowed: bool,
    pub verdict: Verdict,
    /// False if this relay cannot dial the replica's kind of upstream.
    pub is_reachable: bool,
    /// Calls that the replica serves at a time.
    pub slots: u32,
    /// Calls that this gateway has open there, those waiting for a slot included.
    pub open_calls: u32,
}

impl Candidate {
    const fn is_usable(&self) -> bool {
        self.is_allowed && matches!(self.verdict, Verdict::Ok) && self.is_reachable && self.slots > 0
    }

    /// Open calls per slot, compared without division: smaller is better.
    fn load_against(&self, other: &Self) -> std::cmp::Ordering {
        let own = u64::from(self.open_calls) * u64::from(other.slots);
        own.cmp(&(u64::from(other.open_calls) * u64::from(self.slots)))
    }
}

/// Returns the positions of the usable candidates, least loaded first; equals are taken in turn by `turn`.
pub fn rank_candidates(candidates: &[Candidate], turn: usize) -> Vec<usize> {
    let count = candidates.len();
    let mut ranked: Vec<usize> = (0..count)
        .map(|position| (position + turn % count.max(1)) % count)
        .filter(|&position| candidates[position].is_usable())
        .collect();
    ranked.sort_by(|&left, &right| candidates[left].load_against(&candidates[right]));
    ranked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn candidate(verdict: Verdict, slots: u32, open_calls: u32) -> Candidate {
        Candidate { is_allowed: true, verdict, is_reachable: true, slots, open_calls }
    }

    #[test]
    fn the_least_loaded_comes_first() {
        let candidates = [candidate(Verdict::Ok, 4, 3), candidate(Verdict::Ok, 8, 4), candidate(Verdict::Ok, 1, 1)];
        assert_eq!(rank_candidates(&candidates, 0), [1, 0, 2]);
    }

    #[test]
    fn equals_take_turns() {
        let candidates = [candidate(Verdict::Ok, 4, 0); 3];
        let first: Vec<_> = (0..4).map(|turn| rank_candidates(&candidates, turn)[0]).collect();
        assert_eq!(first, [0, 1, 2, 0]);
    }

    #[test]
    fn no_candidate_is_no_choice() {
        assert!(rank_candidates(&[], 7).is_empty());
        let unreachable = Candidate { is_reachable: false, ..candidate(Verdict::Ok, 1, 0) };
        assert!(rank_candidates(&[unreachable, candidate(Verdict::Ok, 0, 0)], 0).is_empty());
    }

    #[test]
    fn a_later_verdict_reads_as_unknown() {
        assert_eq!(serde_json::from_str::<Verdict>("\"draining\"").unwrap(), Verdict::Unknown);
    }

    proptest! {
        #[test]
        fn only_who_is_ok_and_allowed_gets_calls(kinds in prop::collection::vec((0u8..3, 0u32..4, 0u32..9, any::<bool>()), 0..12), turn: usize) {
            let verdicts = [Verdict::Ok, Verdict::Unknown, Verdict::Failed];
            let candidates: Vec<_> = kinds.iter().map(|&(kind, slots, open, is_allowed)| Candidate { is_allowed, ..candidate(verdicts[kind as usize], slots, open) }).collect();
            let ranked = rank_candidates(&candidates, turn);
            prop_assert!(ranked.iter().all(|&position| candidates[position].is_usable()));
            prop_assert_eq!(ranked.len(), candidates.iter().filter(|entry| entry.is_usable()).count());
            prop_assert_eq!(&ranked, &rank_candidates(&candidates, turn));
        }
    }
}
