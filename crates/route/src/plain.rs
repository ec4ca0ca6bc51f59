//! How far a text of JSON goes without anything that must be looked at. Prompts are passed by vector instructions, names
//! by words.

/// What is judged at once, by vector instructions.
const STEP_BYTES: usize = 32;

/// How many bytes at the beginning stand for themselves within a text: no quote, backslash or control character.
pub fn count_plain(bytes: &[u8]) -> usize {
    // Most texts are names and words, and over within a few bytes; a prompt goes on.
    let near = &bytes[..bytes.len().min(STEP_BYTES)];
    let passed = count_plain_by_words(near);
    if passed < STEP_BYTES {
        return passed;
    }
    let mut rest = &bytes[STEP_BYTES..];
    // Without a branch within a step, it is a few vector instructions.
    while let Some((step, behind)) = rest.split_first_chunk::<STEP_BYTES>()
        && step.iter().fold(true, |all, byte| all & is_plain(*byte))
    {
        rest = behind;
    }
    bytes.len() - rest.len() + count_plain_by_words(rest)
}

fn count_plain_by_words(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let marks = mark_special(u64::from_le_bytes(*word));
        if marks != 0 {
            return bytes.len() - rest.len() + (marks.trailing_zeros() / u8::BITS) as usize;
        }
        rest = behind;
    }
    bytes.len() - rest.len() + rest.iter().take_while(|byte| is_plain(**byte)).count()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_bytes_are_counted_as_one_by_one(bytes in prop::collection::vec(prop::sample::select(b"aaaaaaaaaaaaaaaa !\"#[\\]\x1f\x7f\x80\xff\xa2\xdc".to_vec()), 0..99)) {
            prop_assert_eq!(count_plain(&bytes), bytes.iter().take_while(|byte| is_plain(**byte)).count());
        }
    }
}
