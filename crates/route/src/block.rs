//! A prompt as a chain of block hashes: each hash stands for the whole text up to its block's end, so two prompts that
//! share one share all before it. No tokenizer: blocks are of bytes.

use rapidhash::v3::{RapidSecrets, rapidhash_v3_seeded};

/// About 128 tokens: a shorter prefix saves less than its search is worth.
pub const BLOCK_BYTES: usize = 512;
/// What a token is on average, of English text and code; of Chinese and Japanese a little over three.
pub const BYTES_PER_TOKEN: u64 = 4;
/// 1 MiB of prompt; what comes after it changes no choice.
pub const BLOCKS_MAX: usize = 2_048;
/// Chains up to here, 8 KiB of prompt, take no memory of their own.
const INLINE_BLOCKS: usize = 16;

/// Fixed, so that a chain's start alone tells chains apart: whoever needs unpredictable hashes starts from a secret.
const SECRETS: RapidSecrets = RapidSecrets::seed(0);

/// The hashes of a prompt's whole blocks, in order.
#[derive(Clone, Debug)]
pub struct Blocks(Store);

#[derive(Clone, Debug)]
enum Store {
    Inline { hashes: [u64; INLINE_BLOCKS], count: usize },
    Heap(Vec<u64>),
}

impl Blocks {
    /// Hashes a prompt. `start` is the chain's beginning: what must be the same for two prompts to share anything,
    /// folded together by `fold` (a secret of this process, the model, the tools).
    pub fn of(start: u64, prompt: &[u8]) -> Self {
        let count = (prompt.len() / BLOCK_BYTES).min(BLOCKS_MAX);
        let chain = prompt.chunks_exact(BLOCK_BYTES).take(count).scan(start, |hash, block| {
            *hash = fold(*hash, block);
            Some(*hash)
        });
        if count > INLINE_BLOCKS {
            return Self(Store::Heap(chain.collect()));
        }
        let mut hashes = [0; INLINE_BLOCKS];
        for (place, hash) in hashes.iter_mut().zip(chain) {
            *place = hash;
        }
        Self(Store::Inline { hashes, count })
    }

    pub fn as_slice(&self) -> &[u64] {
        match &self.0 {
            Store::Inline { hashes, count } => &hashes[..*count],
            Store::Heap(hashes) => hashes,
        }
    }
}

/// Returns the hash of `text` behind what `start` stands for.
pub fn fold(start: u64, text: &[u8]) -> u64 {
    // Multiplied wide and folded, so that each bit of either changes all: an exclusive or alone would let two blocks swap.
    let product = u128::from(start ^ 0x9e37_79b9_7f4a_7c15) * u128::from(rapidhash_v3_seeded(text, &SECRETS) | 1);
    let bytes = product.to_le_bytes();
    let [low, high] = [0, 8].map(|from| u64::from_le_bytes(std::array::from_fn(|place| bytes[from + place])));
    low ^ high
}

/// About how many tokens a text is.
pub const fn estimate_tokens(text_bytes: usize) -> u64 {
    (text_bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

/// About how many tokens the first `count` blocks are.
pub const fn estimate_block_tokens(count: usize) -> u64 {
    estimate_tokens(count * BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_blocks_are_hashed_and_no_more_than_the_most() {
        let count = |bytes: usize| Blocks::of(0, &vec![b'a'; bytes]).as_slice().len();
        assert_eq!([0, 511, 512, 1_024, 9_000].map(count), [0, 0, 1, 2, 17]);
        assert_eq!(count(5 << 20), BLOCKS_MAX);
    }

    #[test]
    fn equal_blocks_differ_by_what_stands_before() {
        let hashes = Blocks::of(0, &vec![b'a'; 64 * BLOCK_BYTES]).as_slice().to_vec();
        let distinct: std::collections::HashSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), 64);
        assert_ne!(Blocks::of(1, &[b'a'; BLOCK_BYTES]).as_slice(), &hashes[..1]);
    }

    #[test]
    fn tokens_are_estimated_upwards() {
        assert_eq!((estimate_tokens(0), estimate_tokens(5), estimate_block_tokens(3)), (0, 2, 384));
    }

    proptest! {
        /// The place is drawn within and past the inline chain.
        #[test]
        fn two_prompts_share_what_is_before_their_first_difference(blocks in 1usize..40, at in any::<prop::sample::Index>(), start: u64) {
            let text = vec![b'a'; blocks * BLOCK_BYTES];
            let mut other = text.clone();
            let at = at.index(other.len());
            other[at] = b'b';
            let (text, other) = (Blocks::of(start, &text), Blocks::of(start, &other));
            let shared = text.as_slice().iter().zip(other.as_slice()).take_while(|(left, right)| left == right).count();
            prop_assert_eq!(shared, at / BLOCK_BYTES);
            prop_assert!(text.as_slice().iter().zip(other.as_slice()).skip(shared).all(|(left, right)| left != right));
        }
    }
}
