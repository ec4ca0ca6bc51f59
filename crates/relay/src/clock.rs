//! The two clocks: wall time names days and records, monotonic time measures.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: u64 = 86_400_000;

/// Milliseconds since 1970 by the wall clock; 0 if the clock stands before.
pub fn read_wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Nanoseconds since 1970 by the wall clock, until the year 2554.
pub fn read_wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A day as `2026-11-23`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day([u8; 10]);

impl Day {
    pub fn as_str(&self) -> &str {
        // Digits and dashes are always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The UTC day of a wall time. Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms".
#[allow(clippy::cast_possible_truncation, reason = "digits")]
pub fn format_day(wall_ms: u64) -> Day {
    let days = wall_ms / DAY_MS + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let two = |number: u64| [b'0' + (number / 10 % 10) as u8, b'0' + (number % 10) as u8];
    let ([c0, c1], [y0, y1], [m0, m1], [d0, d1]) = (two(year / 100), two(year), two(month), two(day));
    Day([c0, c1, y0, y1, b'-', m0, m1, b'-', d0, d1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_utc() {
        let cases = [
            (0, "1970-01-01"),
            (951_782_399_999, "2000-02-28"),
            (951_782_400_000, "2000-02-29"),
            (951_868_800_000, "2000-03-01"),
            (1_795_476_435_000, "2026-11-23"),
            (1_798_761_599_999, "2026-12-31"),
            (1_798_761_600_000, "2027-01-01"),
        ];
        for (wall_ms, day) in cases {
            assert_eq!(format_day(wall_ms).as_str(), day);
        }
    }
}
