//! Times sorted into ranges: two additions to count one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::metrics::Text;

/// The bounds of its ranges are N, in microseconds; one more range takes what is above them all.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds_us: &'static [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum_us: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    pub const fn new(bounds_us: &'static [u64; N]) -> Self {
        let none = AtomicU64::new;
        let counts = [const { AtomicU64::new(0) }; N];
        Self { bounds_us, counts, above: none(0), sum_us: none(0) }
    }

    pub fn observe(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let range = self.bounds_us.partition_point(|bound| *bound < us);
        self.counts.get(range).unwrap_or(&self.above).fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub fn is_empty(&self) -> bool {
        self.counts.iter().chain([&self.above]).all(|count| count.load(Ordering::Relaxed) == 0)
    }

    /// Writes the lines of one series; `labels` are all but the bound.
    pub fn write(&self, text: &mut Text, name: &str, labels: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        let mut total = 0;
        let bounds = self.bounds_us.iter().map(|us| format_seconds(*us)).chain(["+Inf".to_owned()]);
        for (count, bound) in self.counts.iter().chain([&self.above]).zip(bounds) {
            total += count.load(Ordering::Relaxed);
            text.line(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"{bound}\""), total);
        }
        text.line(&format!("{name}_sum"), labels, format_seconds(self.sum_us.load(Ordering::Relaxed)));
        text.line(&format!("{name}_count"), labels, total);
    }
}

/// Microseconds as decimal seconds, exact.
fn format_seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_up_to_their_bound() {
        let histogram = Histogram::new(&[200, 300, 1_000_000]);
        assert!(histogram.is_empty());
        for time in [Duration::from_micros(300), Duration::from_micros(301), Duration::from_secs(9)] {
            histogram.observe(time);
        }
        assert!(!histogram.is_empty());
        let mut text = Text::default();
        histogram.write(&mut text, "t", "a=\"b\"");
        assert_eq!(
            text.finish(),
            "t_bucket{a=\"b\",le=\"0.0002\"} 0\nt_bucket{a=\"b\",le=\"0.0003\"} 1\nt_bucket{a=\"b\",le=\"1\"} 2\n\
             t_bucket{a=\"b\",le=\"+Inf\"} 3\nt_sum{a=\"b\"} 9.000601\nt_count{a=\"b\"} 3\n"
        );
    }
}
