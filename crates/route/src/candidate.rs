//! A replica or another platform as the decision sees it, and a filter that fails closed.

use serde::{Deserialize, Serialize};

/// What is known of a replica's health (D5). A word of a later version reads as unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    Failed,
    #[serde(other)]
    Unknown,
}

impl Verdict {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// What the policies in force on a call say of a candidate; unknown is a missing fact, or evidence that is too weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyVerdict {
    Holds,
    Fails,
    Unknown,
}

/// Own replicas are preferred, and platforms are told apart by price, then by distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    Replica,
    /// Without a ticket at hand that pays for the call it is none.
    Platform {
        has_ticket: bool,
    },
}

/// Who may serve a call: a replica, or another platform. The decision treats both alike.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub policy: PolicyVerdict,
    pub verdict: Verdict,
    /// False if this relay cannot dial the candidate's kind of upstream.
    pub is_reachable: bool,
    /// False if the call needs what the candidate does not offer.
    pub is_capable: bool,
    pub kind: CandidateKind,
    /// Calls that the candidate serves at a time.
    pub slots: u32,
    /// Calls that this gateway has open there, those waiting for a slot included.
    pub open_calls: u32,
    /// Prompt tokens that are still to be computed there, of calls whose first byte has not come.
    pub backlog_tokens: u64,
    /// How much of this call's prompt is believed to be kept there.
    pub warm_tokens: u64,
    /// Measured for the candidate's model on its chip; nothing or 0 is unknown.
    pub prefill_tokens_per_s: Option<u32>,
    /// What the way there and back adds.
    pub link_us: u64,
    /// Any number that orders prices of the same call: only compared.
    pub price_nano: u64,
}

/// Why a candidate may not serve a call. The first that applies is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exclusion {
    PolicyFails,
    PolicyUnknown,
    Incapable,
    NoTicket,
    VerdictFailed,
    VerdictUnknown,
    Unreachable,
    NoSlots,
}

impl Candidate {
    /// Tells why this candidate is none.
    pub const fn find_exclusion(&self) -> Option<Exclusion> {
        // Policy stands first: what is outside it is outside, whatever its health.
        match (self.policy, self.verdict) {
            (PolicyVerdict::Fails, _) => Some(Exclusion::PolicyFails),
            (PolicyVerdict::Unknown, _) => Some(Exclusion::PolicyUnknown),
            _ if !self.is_capable => Some(Exclusion::Incapable),
            _ if matches!(self.kind, CandidateKind::Platform { has_ticket: false }) => Some(Exclusion::NoTicket),
            (_, Verdict::Failed) => Some(Exclusion::VerdictFailed),
            (_, Verdict::Unknown) => Some(Exclusion::VerdictUnknown),
            _ if !self.is_reachable => Some(Exclusion::Unreachable),
            _ if self.slots == 0 => Some(Exclusion::NoSlots),
            (PolicyVerdict::Holds, Verdict::Ok) => None,
        }
    }

    pub const fn is_elsewhere(&self) -> bool {
        matches!(self.kind, CandidateKind::Platform { .. })
    }

    pub const fn has_free_slot(&self) -> bool {
        self.open_calls < self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Candidate = Candidate {
        policy: PolicyVerdict::Holds,
        verdict: Verdict::Ok,
        is_reachable: true,
        is_capable: true,
        kind: CandidateKind::Replica,
        slots: 1,
        open_calls: 0,
        backlog_tokens: 0,
        warm_tokens: 0,
        prefill_tokens_per_s: None,
        link_us: 0,
        price_nano: 0,
    };

    #[test]
    fn each_fault_excludes_and_policy_is_told_first() {
        assert_eq!(GOOD.find_exclusion(), None);
        let cases = [
            (Candidate { policy: PolicyVerdict::Fails, ..GOOD }, Exclusion::PolicyFails),
            (Candidate { policy: PolicyVerdict::Unknown, ..GOOD }, Exclusion::PolicyUnknown),
            (Candidate { is_capable: false, ..GOOD }, Exclusion::Incapable),
            (Candidate { kind: CandidateKind::Platform { has_ticket: false }, ..GOOD }, Exclusion::NoTicket),
            (Candidate { verdict: Verdict::Failed, ..GOOD }, Exclusion::VerdictFailed),
            (Candidate { verdict: Verdict::Unknown, ..GOOD }, Exclusion::VerdictUnknown),
            (Candidate { is_reachable: false, ..GOOD }, Exclusion::Unreachable),
            (Candidate { slots: 0, ..GOOD }, Exclusion::NoSlots),
        ];
        for (candidate, exclusion) in cases {
            assert_eq!(candidate.find_exclusion(), Some(exclusion));
            let outside = Candidate { policy: PolicyVerdict::Fails, ..candidate };
            assert_eq!(outside.find_exclusion(), Some(Exclusion::PolicyFails));
        }
    }

    #[test]
    fn a_later_verdict_reads_as_unknown() {
        assert_eq!(serde_json::from_str::<Verdict>("\"draining\"").unwrap(), Verdict::Unknown);
    }
}
