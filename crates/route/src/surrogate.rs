//! Half a surrogate pair in an escape is grammatical JSON and no text. llama.cpp refuses it, Python reads it and fails
//! where it encodes it: an engine would seem ill for what its client sent. So it is refused here.

use memchr::memchr;

const ESCAPE_BYTES: usize = r"\uXXXX".len();

/// Tells whether JSON names half a surrogate pair. What is no JSON gets any answer.
pub fn has_half_pair(json: &str) -> bool {
    let mut rest = json.as_bytes();
    // Outside of texts JSON has no backslash.
    while let Some(position) = memchr(b'\\', rest) {
        rest = &rest[position..];
        let length = match (read_escape(rest), rest.get(ESCAPE_BYTES..).and_then(read_escape)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE_BYTES,
            (Some(0xD800..=0xDFFF), _) => return true,
            (Some(_), _) => ESCAPE_BYTES,
            (None, _) => 2,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// Reads `\uXXXX`, if the text begins with it.
fn read_escape(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_are_found_and_pairs_are_not() {
        for json in [r#""\ud83d""#, r#""\uDE00""#, r#""\ud83d\u0041""#, r#""\ude00\ud83d""#, r#"{"a\ud83d":"\ude00"}"#]
        {
            assert!(has_half_pair(json), "{json}");
        }
        for json in [r#""\ud83d\uDE00""#, r#""\\ud83d""#, r#""\n\u00e9\"""#, "{}", "", r"\", r"\u", r"\ud8"] {
            assert!(!has_half_pair(json), "{json}");
        }
    }

    proptest! {
        #[test]
        fn serde_json_reads_what_has_no_half(codes in prop::collection::vec(0xD7FFu16..0xE001, 0..6)) {
            let json = format!("\"{}\"", codes.iter().map(|code| format!("\\u{code:04x}")).collect::<Vec<_>>().concat());
            prop_assert_eq!(serde_json::from_str::<String>(&json).is_err(), has_half_pair(&json));
        }
    }
}
