//! What one replica is believed to keep of prompts sent there: a bounded memory of block hashes, least recently used out.
//!
//! A belief, not a fact: the engine's cache is its own. So races between calls may lose a block or keep it twice, and
//! nothing is locked: calls read and write single words, each whole.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Blocks remembered for one replica, by default: 8 MiB of prompts, about 2 million tokens, in 80 KiB of memory.
pub const BLOCKS_REMEMBERED_MAX: usize = 16_384;
/// One cache line. Blocks that share a set push each other out, the least recently used first.
const WAYS: usize = 16;
/// Blocks do not spread evenly over sets. With a quarter more places, a crowded set still remembers as long as was asked.
const SPARE_DIVISOR: usize = 4;

/// Newest first. A mark is a part of a block's hash; 0 is an empty place.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU32; WAYS]);

impl Set {
    fn has(&self, mark: u32) -> bool {
        self.0.iter().any(|place| place.load(Ordering::Relaxed) == mark)
    }

    /// Moves a mark to the front, or puts it there and lets the last one fall out.
    fn touch(&self, mark: u32) {
        // A prefix that everyone uses is at the front already: its cache line is then only read, by all cores.
        let mut carried = mark;
        for place in &self.0 {
            let found = place.load(Ordering::Relaxed);
            if found == carried {
                return;
            }
            place.store(carried, Ordering::Relaxed);
            if found == mark {
                return;
            }
            carried = found;
        }
    }
}

/// The blocks that one replica, or another platform, is believed to keep.
#[derive(Debug)]
pub struct Affinity {
    set_count: usize,
    /// Made when first written: a replica that this gateway never calls takes no memory.
    sets: OnceLock<Box<[Set]>>,
}

impl Default for Affinity {
    fn default() -> Self {
        Self::new(BLOCKS_REMEMBERED_MAX)
    }
}

impl Affinity {
    /// Remembers about `blocks_max` blocks; never more than a quarter above that, in whole sets.
    pub const fn new(blocks_max: usize) -> Self {
        let set_count = blocks_max.saturating_add(blocks_max / SPARE_DIVISOR).div_ceil(WAYS);
        Self { set_count: if set_count == 0 { 1 } else { set_count }, sets: OnceLock::new() }
    }

    /// Returns how many of a prompt's blocks, from its beginning, are believed to be kept.
    pub fn count_warm(&self, blocks: &[u64]) -> usize {
        let Some(sets) = self.sets.get() else { return 0 };
        blocks.iter().take_while(|hash| choose_set(sets, **hash).has(mark(**hash))).count()
    }

    /// Notes that a prompt was sent there.
    pub fn note(&self, blocks: &[u64]) {
        let sets = self.sets.get_or_init(|| (0..self.set_count).map(|_| Set::default()).collect());
        // From the end, so that a beginning is always younger than what follows it, and goes after it.
        for hash in blocks.iter().rev() {
            choose_set(sets, *hash).touch(mark(*hash));
        }
    }

    /// Forgets everything: its engine has started anew.
    pub fn clear(&self) {
        for set in self.sets.get().into_iter().flatten() {
            for place in &set.0 {
                place.store(0, Ordering::Relaxed);
            }
        }
    }
}

/// The hash's upper half, spread over the sets. It and the mark have no bit in common.
fn choose_set(sets: &[Set], hash: u64) -> &Set {
    let wide = u128::from(hash >> 32) * sets.len() as u128;
    &sets[usize::try_from(wide >> 32).unwrap_or(0)]
}

fn mark(hash: u64) -> u32 {
    let [a, b, c, d, ..] = hash.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::block::{Blocks, fold};

    fn chain(name: u64, count: u64) -> Vec<u64> {
        (0..count).map(|number| fold(name, &number.to_le_bytes())).collect()
    }

    #[test]
    fn what_was_sent_is_warm_up_to_where_it_differs() {
        let affinity = Affinity::default();
        let prompt = vec![b'a'; 4_096];
        let mut other = prompt.clone();
        other[2_000] = b'b';
        let [prompt, other] = [prompt, other].map(|text| Blocks::of(1, &text));
        assert_eq!(affinity.count_warm(prompt.as_slice()), 0);
        affinity.note(prompt.as_slice());
        assert_eq!(affinity.count_warm(prompt.as_slice()), 8);
        assert_eq!(affinity.count_warm(other.as_slice()), 3);
        affinity.clear();
        assert_eq!(affinity.count_warm(prompt.as_slice()), 0);
    }

    #[test]
    fn what_follows_a_gap_is_not_warm() {
        let affinity = Affinity::default();
        let prompt = chain(1, 9);
        affinity.note(&prompt[5..]);
        affinity.note(&prompt[..3]);
        assert_eq!(affinity.count_warm(&prompt), 3);
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let affinity = Affinity::new(1_024);
        let used = chain(0, 64);
        for name in 1..1_000 {
            affinity.note(&used);
            affinity.note(&chain(name, 64));
        }
        assert_eq!(affinity.sets.get().unwrap().len() * WAYS, 1_280);
        assert_eq!(affinity.count_warm(&used), 64);
        let kept: usize = (1..1_000).map(|name| affinity.count_warm(&chain(name, 64))).sum();
        assert!((600..=1_280 - 64).contains(&kept), "{kept}");
        assert_eq!(affinity.count_warm(&chain(1, 64)), 0);
    }

    #[test]
    fn a_beginning_goes_after_its_end() {
        let affinity = Affinity::new(1);
        affinity.note(&chain(1, 20));
        assert_eq!(affinity.count_warm(&chain(1, 20)), WAYS);
    }

    proptest! {
        #[test]
        fn nothing_is_warm_that_was_not_sent(sent in prop::collection::vec(0u64..1_000, 0..50), asked in 1_000u64..9_000) {
            let affinity = Affinity::new(256);
            for name in &sent {
                affinity.note(&chain(*name, 8));
            }
            prop_assert_eq!(affinity.count_warm(&chain(asked, 8)), 0);
            if let Some(last) = sent.last() {
                prop_assert_eq!(affinity.count_warm(&chain(*last, 8)), 8);
            }
        }
    }
}
