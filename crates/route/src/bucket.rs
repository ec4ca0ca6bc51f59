//! Token buckets (R4) as one number: when the bucket will be full again. Time is a value, in nanoseconds.
//! Source: ITU-T I.371, the generic cell rate algorithm; a bucket that is full again at `full_at` holds the rest.

const MINUTE_NS: u128 = 60_000_000_000;
const SHARE_WHOLE: u128 = 1_000_000;

/// How fast a bucket fills and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_minute: u64,
    /// The part of it that this gateway may use, in millionths.
    pub share_ppm: u32,
    /// What may be taken at once from a full bucket, as time of filling.
    pub burst_ns: u64,
}

/// Why nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dry {
    /// It will be there after so long.
    Wait { ns: u64 },
    /// More than the bucket ever holds.
    Never,
}

impl Rate {
    /// How long filling `amount` takes, rounded up, so that the rate is never passed. Nothing if it never comes.
    pub fn compute_time_ns(&self, amount: u64) -> Option<u64> {
        let per_minute = u128::from(self.per_minute) * u128::from(self.share_ppm);
        let time = (u128::from(amount) * MINUTE_NS * SHARE_WHOLE).checked_div(per_minute)?;
        // One nanosecond more than the exact time at most.
        u64::try_from(time + 1).ok()
    }

    /// Takes from a bucket that is full again at `full_at_ns`; returns when it will be full after that.
    ///
    /// One unit is let through by a full bucket even if filling it takes longer than the burst.
    pub fn take(&self, full_at_ns: u64, now_ns: u64, amount: u64) -> Result<u64, Dry> {
        let time_ns = self.compute_time_ns(amount).ok_or(Dry::Never)?;
        let capacity_ns = self.burst_ns.max(self.compute_time_ns(1).ok_or(Dry::Never)?);
        if time_ns > capacity_ns {
            return Err(Dry::Never);
        }
        let after_ns = full_at_ns.max(now_ns).saturating_add(time_ns);
        let ahead_ns = after_ns - now_ns;
        if ahead_ns > capacity_ns { Err(Dry::Wait { ns: ahead_ns - capacity_ns }) } else { Ok(after_ns) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    const fn rate(per_minute: u64, burst_s: u64) -> Rate {
        Rate { per_minute, share_ppm: 1_000_000, burst_ns: burst_s * SECOND_NS }
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_rate() {
        let rate = rate(60, 10);
        let mut full_at = 0;
        for _ in 0..9 {
            full_at = rate.take(full_at, 5, 1).unwrap();
        }
        let wait = rate.take(rate.take(full_at, 5, 1).unwrap_or(full_at), 5, 1).unwrap_err();
        assert!(matches!(wait, Dry::Wait { ns } if ns <= SECOND_NS + 20), "{wait:?}");
        assert!(rate.take(full_at, 5 + 2 * SECOND_NS, 1).is_ok());
    }

    #[test]
    fn a_small_rate_lets_one_through() {
        let rate = rate(1, 10);
        let full_at = rate.take(0, 0, 1).unwrap();
        assert!(matches!(rate.take(full_at, 59 * SECOND_NS, 1), Err(Dry::Wait { .. })));
        assert!(rate.take(full_at, 61 * SECOND_NS, 1).is_ok());
        assert_eq!(rate.take(0, 0, 2), Err(Dry::Never));
    }

    #[test]
    fn no_share_gives_nothing() {
        assert_eq!(Rate { share_ppm: 0, ..rate(60, 10) }.take(0, 0, 1), Err(Dry::Never));
        let half = Rate { share_ppm: 500_000, ..rate(60, 60) };
        assert_eq!((0..100).scan(0, |at, _| half.take(*at, 0, 1).ok().map(|next| *at = next)).count(), 29);
    }

    proptest! {
        /// In no window of a minute is more taken than the limit and the burst.
        #[test]
        fn never_above_limit_and_burst(
            per_minute in 1u64..5_000, burst_s in 1u64..60, steps in prop::collection::vec((0u64..2_000_000_000, 1u64..20), 1..400)
        ) {
            let rate = rate(per_minute, burst_s);
            let (mut full_at, mut now) = (0, 0);
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (pause, amount) in steps {
                now += pause;
                if let Ok(next) = rate.take(full_at, now, amount) {
                    full_at = next;
                    taken.push((now, amount));
                }
            }
            let burst = (per_minute * burst_s).div_ceil(60).max(1);
            for (position, &(start, _)) in taken.iter().enumerate() {
                let window = taken[position..].iter().take_while(|(at, _)| *at < start + 60 * SECOND_NS);
                let sum: u64 = window.map(|(_, amount)| amount).sum();
                prop_assert!(sum <= per_minute + burst, "{sum} of {per_minute} + {burst}");
            }
        }

        /// Under steady demand for twice the rate, at least 99 % of the rate is let through.
        #[test]
        fn hardly_below_the_limit(per_minute in 1_000u64..100_000) {
            let rate = rate(per_minute, 10);
            let step = 30 * SECOND_NS / per_minute;
            let (mut full_at, mut admitted) = (0, 0u64);
            for number in 0..2 * per_minute {
                if let Ok(next) = rate.take(full_at, number * step, 1) {
                    full_at = next;
                    admitted += 1;
                }
            }
            prop_assert!(admitted * 100 >= per_minute * 99, "{admitted} of {per_minute}");
        }
    }
}
