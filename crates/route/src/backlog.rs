//! The prompt tokens that one replica has still to compute, counted from a call's dispatch on: calls that come in the
//! same moment see each other, so they do not all choose the same replica.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count of tokens that never goes below what is open.
#[derive(Debug, Default)]
pub struct Backlog(AtomicU64);

/// A call's part of a backlog. Drop it when the first byte came, or the call ended without one.
#[derive(Debug)]
pub struct Dispatched {
    backlog: Arc<Backlog>,
    tokens: u64,
}

impl Backlog {
    pub fn tokens(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts a call's tokens until what is returned is dropped.
    #[must_use]
    pub fn dispatch(self: &Arc<Self>, tokens: u64) -> Dispatched {
        // No prompt is near 2^64 tokens; a sum that wraps would need a million prompts of 2^44.
        self.0.fetch_add(tokens, Ordering::Relaxed);
        Dispatched { backlog: Arc::clone(self), tokens }
    }
}

impl Drop for Dispatched {
    fn drop(&mut self) {
        self.backlog.0.fetch_sub(self.tokens, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_from_its_dispatch_to_its_end() {
        let backlog = Arc::new(Backlog::default());
        let first = backlog.dispatch(300);
        let second = backlog.dispatch(50);
        assert_eq!(backlog.tokens(), 350);
        drop(first);
        assert_eq!(backlog.tokens(), 50);
        drop(second);
        assert_eq!(backlog.tokens(), 0);
    }
}
