//! How far a text of JSON goes without anything that must be looked at, by vector instructions.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};

const WORD_BYTES: usize = size_of::<u64>();
/// What is judged at once, by a vector instruction where there is one: most texts are names and words, and over within it.
const STEP_BYTES: usize = 16;
/// What is judged at once of a text that goes on.
const STRIDE_BYTES: usize = 64;

/// Where a text ends, if it does so at once: the bytes before its quote are plain.
#[inline]
pub fn find_near_quote(bytes: &[u8]) -> Option<usize> {
    let count = count_plain_in_step(bytes.first_chunk()?);
    (bytes.get(count) == Some(&b'"')).then_some(count).filter(|count| *count < STEP_BYTES)
}

/// How many bytes at the beginning stand for themselves within a text: no quote, backslash or control character.
pub fn count_plain(bytes: &[u8]) -> usize {
    let (near, far) = bytes.split_at(bytes.len().min(STRIDE_BYTES));
    let count = count_plain_by_steps(near);
    if count < near.len() {
        return count;
    }
    let mut rest = far;
    // Without a branch within a stride, it is a few vector instructions.
    while let Some((stride, behind)) = rest.split_first_chunk::<STRIDE_BYTES>()
        && stride.iter().fold(true, |all, byte| all & is_plain(*byte))
    {
        rest = behind;
    }
    bytes.len() - rest.len() + count_plain_by_steps(rest)
}

fn count_plain_by_steps(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((step, behind)) = rest.split_first_chunk() {
        let count = count_plain_in_step(step);
        if count < STEP_BYTES {
            return bytes.len() - rest.len() + count;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + rest.iter().take_while(|byte| is_plain(**byte)).count()
}

#[cfg(not(target_arch = "x86_64"))]
use count_plain_in_words as count_plain_in_step;

#[cfg(target_arch = "x86_64")]
#[inline]
#[allow(unsafe_code, reason = "vector instructions are safe to call only where the compiler is told of them")]
fn count_plain_in_step(step: &[u8; STEP_BYTES]) -> usize {
    // SAFETY: every x86-64 has SSE2.
    let marks = unsafe { mark_special_in_step(step) };
    // The mark behind the last byte stands for none.
    (marks | 1 << STEP_BYTES).trailing_zeros() as usize
}

/// Sets a bit for each byte that is not plain.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
fn mark_special_in_step(step: &[u8; STEP_BYTES]) -> i32 {
    let (words, _) = step.as_chunks::<WORD_BYTES>();
    let bytes = _mm_set_epi64x(i64::from_le_bytes(words[1]), i64::from_le_bytes(words[0]));
    let is_quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"'.cast_signed()));
    let is_backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\'.cast_signed()));
    let is_control = _mm_cmpeq_epi8(bytes, _mm_min_epu8(bytes, _mm_set1_epi8(b' '.cast_signed() - 1)));
    _mm_movemask_epi8(_mm_or_si128(is_control, _mm_or_si128(is_quote, is_backslash)))
}

/// What vector instructions do, by words.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn count_plain_in_words(step: &[u8; STEP_BYTES]) -> usize {
    let (words, _) = step.as_chunks::<WORD_BYTES>();
    let marks = words.iter().map(|word| mark_special(u64::from_le_bytes(*word)));
    marks.rev().fold(0, |behind, marks| if marks == 0 { WORD_BYTES + behind } else { count_unmarked(marks) })
}

/// The bytes below the lowest mark.
#[cfg(any(test, not(target_arch = "x86_64")))]
const fn count_unmarked(marks: u64) -> usize {
    (marks.trailing_zeros() / u8::BITS) as usize
}

const fn is_plain(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\'
}

/// Sets the highest bit of each byte that is not plain; above the lowest of them also some others'.
/// Source: Anderson, "Bit Twiddling Hacks", "Determine if a word has a byte less than n".
#[cfg(any(test, not(target_arch = "x86_64")))]
const fn mark_special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const fn mark_below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(ONES * bound as u64) & !word
    }
    let quotes = mark_below(word ^ (ONES * b'"' as u64), 1);
    let backslashes = mark_below(word ^ (ONES * b'\\' as u64), 1);
    (mark_below(word, b' ') | quotes | backslashes) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_bytes_are_counted_as_one_by_one(bytes in prop::collection::vec(prop::sample::select(b"aaaaaaaaaaaaaaaa !\"#[\\]\x1f\x7f\x80\xff\xa2\xdc".to_vec()), 0..199)) {
            prop_assert_eq!(count_plain(&bytes), bytes.iter().take_while(|byte| is_plain(**byte)).count());
            if let Some(step) = bytes.first_chunk() {
                prop_assert_eq!(count_plain_in_step(step), count_plain_in_words(step));
            }
        }
    }
}
