//! Which calls are sampled, and the bounded queue of their spans until the shell takes them. What finds it full is dropped
//! and counted: a collector that is slow or gone costs calls nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::span::Span;
use crate::metrics::Counter;

/// About a kilobyte each.
pub const SPANS_WAITING_MAX: usize = 4_096;
const PPM: u64 = 1_000_000;
/// The part of a trace's id that is random in every id. Source: W3C Trace Context, level 2, "random trace id flag".
const RANDOM_BITS: u32 = 56;

#[derive(Debug)]
pub struct Tracer {
    /// Traces whose random part is below are sampled. None: nothing is collected at all.
    threshold: Option<u64>,
    waiting: Mutex<VecDeque<Span>>,
    pub collected: Counter,
    pub dropped: Counter,
}

impl Tracer {
    /// `sample_ppm` is the part of the traces begun here that is sampled.
    pub fn new(sample_ppm: Option<u64>) -> Self {
        // At most 10^6 x 2^56 / 10^6: a share is multiplied in 128 bits and fits in 64 again.
        let threshold = sample_ppm.map(|ppm| {
            let share = (u128::from(ppm.min(PPM)) << RANDOM_BITS) / u128::from(PPM);
            u64::try_from(share).unwrap_or(1 << RANDOM_BITS)
        });
        Self { threshold, waiting: Mutex::default(), collected: Counter::default(), dropped: Counter::default() }
    }

    pub const fn is_collecting(&self) -> bool {
        self.threshold.is_some()
    }

    /// Every system that asks of the same trace, by the same share, comes to the same answer.
    #[allow(clippy::cast_possible_truncation, reason = "the random part is the lowest")]
    pub fn is_sampled(&self, trace_id: u128) -> bool {
        let random = trace_id as u64 & ((1 << RANDOM_BITS) - 1);
        self.threshold.is_some_and(|threshold| random < threshold)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all spans of a call, or none: half a call misleads.
    pub fn hand_in(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        let mut waiting = self.lock();
        if waiting.len() + spans.len() > SPANS_WAITING_MAX {
            drop(waiting);
            self.dropped.add(count);
            return;
        }
        waiting.extend(spans);
        drop(waiting);
        self.collected.add(count);
    }

    /// The oldest that wait, at most so many; they are the taker's from now on.
    pub fn take(&self, spans_max: usize) -> Vec<Span> {
        let mut waiting = self.lock();
        let count = waiting.len().min(spans_max);
        waiting.drain(..count).collect()
    }

    pub fn count_waiting(&self) -> u64 {
        self.lock().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::span::Kind;

    fn span(number: usize) -> Span {
        Span {
            trace_id: 1,
            span_id: number as u64,
            parent_id: None,
            kind: Kind::Call,
            name: String::new(),
            start_ns: 0,
            end_ns: 0,
            attributes: Vec::new(),
            is_failed: false,
        }
    }

    #[test]
    fn the_queue_is_bounded_and_what_is_dropped_is_counted() {
        let tracer = Tracer::new(Some(0));
        for number in 0..SPANS_WAITING_MAX - 1 {
            tracer.hand_in(vec![span(number)]);
        }
        tracer.hand_in(vec![span(7), span(8)]);
        assert_eq!((tracer.count_waiting(), tracer.dropped.get()), (4_095, 2), "not half a call");
        tracer.hand_in(vec![span(SPANS_WAITING_MAX - 1)]);
        tracer.hand_in(vec![span(9)]);
        assert_eq!((tracer.count_waiting(), tracer.collected.get(), tracer.dropped.get()), (4_096, 4_096, 3));
        let taken: Vec<u64> = tracer.take(3).into_iter().map(|span| span.span_id).collect();
        assert_eq!(taken, [0, 1, 2]);
        assert_eq!(tracer.take(usize::MAX).len(), SPANS_WAITING_MAX - 3);
        assert!(tracer.take(1).is_empty());
    }

    #[test]
    fn a_share_of_the_traces_is_sampled() {
        let count = |ppm: u64| {
            let tracer = Tracer::new(Some(ppm));
            let ids = (0..10_000_u128).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
            ids.filter(|id| tracer.is_sampled(*id)).count()
        };
        assert_eq!((count(0), count(1_000_000)), (0, 10_000));
        assert!((80..120).contains(&count(10_000)), "{}", count(10_000));
        assert!(Tracer::new(Some(1_000_000)).is_sampled(u128::MAX));
        assert!(!Tracer::new(None).is_sampled(0) && !Tracer::new(None).is_collecting());
    }
}
