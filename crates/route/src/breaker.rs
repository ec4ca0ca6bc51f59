//! A circuit breaker: after some failures in a row nothing is sent for a while, then one call tries. Time is a value.

/// Failures in a row that open it.
pub const FAILURES_MAX: u32 = 5;
/// How long it stays open at first; each failed trial doubles it.
const OPEN_NS_MIN: u64 = 1_000_000_000;
const OPEN_NS_MAX: u64 = 30_000_000_000;

/// The state of one replica's breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    /// How often in a row it was opened.
    openings: u32,
    open_until_ns: u64,
    is_trying: bool,
}

impl Breaker {
    /// Tells whether a call may be sent now.
    pub const fn allows(&self, now_ns: u64) -> bool {
        self.openings == 0 || (now_ns >= self.open_until_ns && !self.is_trying)
    }

    /// What it does now, in one word.
    pub const fn name_state(&self, now_ns: u64) -> &'static str {
        match (self.openings, now_ns < self.open_until_ns) {
            (0, _) => "closed",
            (_, true) => "open",
            (_, false) => "half_open",
        }
    }

    /// Notes that a call is sent: while it is half open, no other one is until this one's outcome is known.
    pub const fn begin(&mut self) {
        self.is_trying = self.openings > 0;
    }

    pub fn succeed(&mut self) {
        *self = Self::default();
    }

    /// The call that was sent came to an end that says nothing of the replica.
    pub const fn abandon(&mut self) {
        self.is_trying = false;
    }

    /// A call failed. What was sent before it opened and fails while it is open tells nothing new: of a crowd that is lost with
    /// one connection, five open it for a second, and the others do not keep it open for half a minute.
    pub fn fail(&mut self, now_ns: u64) {
        if now_ns < self.open_until_ns && !self.is_trying {
            return;
        }
        self.is_trying = false;
        self.failures += 1;
        if self.failures < FAILURES_MAX && self.openings == 0 {
            return;
        }
        let open_ns = OPEN_NS_MIN.checked_shl(self.openings).map_or(OPEN_NS_MAX, |open_ns| open_ns.min(OPEN_NS_MAX));
        self.open_until_ns = now_ns.saturating_add(open_ns);
        self.openings = (self.openings + 1).min(32);
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(now_ns: u64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES_MAX {
            assert!(breaker.allows(now_ns));
            breaker.fail(now_ns);
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        assert!(!open(7).allows(7));
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            (1..FAILURES_MAX).for_each(|_| breaker.fail(7));
            breaker.succeed();
        }
        assert!(breaker.allows(7));
    }

    #[test]
    fn one_call_tries_and_decides() {
        let mut breaker = open(0);
        assert_eq!((Breaker::default().name_state(0), breaker.name_state(0)), ("closed", "open"));
        assert!(!breaker.allows(OPEN_NS_MIN - 1));
        assert!(breaker.allows(OPEN_NS_MIN));
        assert_eq!(breaker.name_state(OPEN_NS_MIN), "half_open");
        breaker.begin();
        assert!(!breaker.allows(OPEN_NS_MIN));
        breaker.fail(OPEN_NS_MIN);
        assert!(!breaker.allows(OPEN_NS_MIN * 2) && breaker.allows(OPEN_NS_MIN * 3));
        breaker.begin();
        breaker.succeed();
        assert!(breaker.allows(0));
        breaker.begin();
        assert!(breaker.allows(0));
    }

    #[test]
    fn a_trial_that_said_nothing_lets_the_next_one_try() {
        let mut breaker = open(0);
        breaker.begin();
        breaker.abandon();
        assert!(breaker.allows(OPEN_NS_MIN));
    }

    #[test]
    fn a_crowd_that_is_lost_at_once_opens_it_once() {
        let mut breaker = open(7);
        (0..100).for_each(|late| breaker.fail(8 + late));
        assert!(breaker.allows(7 + OPEN_NS_MIN));
        breaker.begin();
        breaker.fail(7 + OPEN_NS_MIN);
        (0..100).for_each(|late| breaker.fail(8 + OPEN_NS_MIN + late));
        assert!(breaker.allows(7 + OPEN_NS_MIN * 3), "and each failed trial doubles it once");
    }

    proptest! {
        #[test]
        fn it_never_stays_open_for_long(failures in 1u32..200, now in 0u64..1 << 40) {
            let mut breaker = Breaker::default();
            (0..failures).for_each(|_| breaker.fail(now));
            prop_assert!(breaker.allows(now + OPEN_NS_MAX));
        }
    }
}
