//! How far a text of JSON goes without anything that must be looked at. Prompts are passed by vector instructions, names
//! by words.

const WORD_BYTES: usize = size_of::<u64>();
/// What is judged at once, by vector instructions.
const STEP_BYTES: usize = 32;
const STEP_WORDS: usize = STEP_BYTES / WORD_BYTES;

/// How many bytes at the beginning stand for themselves within a text: no quote, backslash or control character.
#[inline]
pub fn count_plain(bytes: &[u8]) -> usize {
    // Most texts are names and words, and over within a few bytes; a prompt goes on.
    let (words, _) = bytes.as_chunks::<WORD_BYTES>();
    for (position, word) in words.iter().take(STEP_WORDS).enumerate() {
        let marks = mark_special(u64::from_le_bytes(*word));
        if marks != 0 {
            return position * WORD_BYTES + count_unmarked(marks);
        }
    }
    count_far(bytes, words.len().min(STEP_WORDS) * WORD_BYTES)
}

/// Goes on behind `passed` plain bytes.
fn count_far(bytes: &[u8], passed: usize) -> usize {
    let mut rest = &bytes[passed..];
    // Without a branch within a step, it is a few vector instructions.
    while let Some((step, behind)) = rest.split_first_chunk::<STEP_BYTES>()
        && step.iter().fold(true, |all, byte| all & is_plain(*byte))
    {
        rest = behind;
    }
    while let Some((word, behind)) = rest.split_first_chunk::<WORD_BYTES>() {
        let marks = mark_special(u64::from_le_bytes(*word));
        if marks != 0 {
            return bytes.len() - rest.len() + count_unmarked(marks);
        }
        rest = behind;
    }
    bytes.len() - rest.len() + rest.iter().take_while(|byte| is_plain(**byte)).count()
}

/// How many digits stand at the beginning.
#[inline]
pub fn count_digits(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<WORD_BYTES>();
    for (position, word) in words.iter().enumerate() {
        let marks = mark_no_digit(u64::from_le_bytes(*word));
        if marks != 0 {
            return position * WORD_BYTES + count_unmarked(marks);
        }
    }
    words.len() * WORD_BYTES + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The bytes below the lowest mark.
const fn count_unmarked(marks: u64) -> usize {
    (marks.trailing_zeros() / u8::BITS) as usize
}

const fn is_plain(byte: u8) -> bool {
    byte >= b' ' && byte != b'"' && byte != b'\\'
}

/// Sets the highest bit of each byte that is not plain; above the lowest of them also some others'.
/// Source: Anderson, "Bit Twiddling Hacks", "Determine if a word has a byte less than n".
const fn mark_special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const fn mark_below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(ONES * bound as u64) & !word
    }
    let quotes = mark_below(word ^ (ONES * b'"' as u64), 1);
    let backslashes = mark_below(word ^ (ONES * b'\\' as u64), 1);
    (mark_below(word, b' ') | quotes | backslashes) & (ONES << 7)
}

/// Sets the highest bit of each byte that is no digit; above the lowest of them also some others'. What is below `0`
/// borrows, what is above `9` carries, and what is not ASCII has the bit.
const fn mark_no_digit(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    const ABOVE_NINE: u64 = ONES * (0x80 - (b'9' as u64 + 1));
    let above = (word & !HIGHEST) + ABOVE_NINE;
    (word | above | word.wrapping_sub(ONES * b'0' as u64)) & HIGHEST
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_bytes_are_counted_as_one_by_one(bytes in prop::collection::vec(prop::sample::select(b"aaaaaaaaaaaaaaaa !\"#[\\]\x1f\x7f\x80\xff\xa2\xdc".to_vec()), 0..99)) {
            prop_assert_eq!(count_plain(&bytes), bytes.iter().take_while(|byte| is_plain(**byte)).count());
        }

        #[test]
        fn digits_are_counted_as_one_by_one(bytes in prop::collection::vec(prop::sample::select(b"0123456789012345678901234567890123456789/:.\x00\xb0\xff".to_vec()), 0..40)) {
            prop_assert_eq!(count_digits(&bytes), bytes.iter().take_while(|byte| byte.is_ascii_digit()).count());
        }
    }
}
