//! `traceparent`: a trace's id, the caller's span in it, and whether that is recorded. Source: W3C Trace Context, level 1.

/// Version 00: "00-", 32 digits, "-", 16 digits, "-", 2 digits.
const TEXT_BYTES: usize = 55;
const SAMPLED: u8 = 1;

/// A span of somebody else's, as it stands in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub trace_id: u128,
    pub span_id: u64,
    pub is_sampled: bool,
}

/// The same as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentText([u8; TEXT_BYTES]);

impl Parent {
    /// Nothing for what no version could mean. A later version may have more fields behind ours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (fields, rest) = text.split_first_chunk::<TEXT_BYTES>()?;
        let is_ended = match read_digits(&fields[..2])? {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let is_divided = [2, 35, 52].into_iter().all(|place| fields[place] == b'-');
        let parent = Self {
            trace_id: read_digits(&fields[3..35])?,
            span_id: u64::try_from(read_digits(&fields[36..52])?).ok()?,
            is_sampled: read_digits(&fields[53..])? & u128::from(SAMPLED) != 0,
        };
        Some(parent).filter(|parent| is_ended && is_divided && parent.trace_id != 0 && parent.span_id != 0)
    }

    pub fn format(&self) -> ParentText {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        write_digits(&mut text[3..35], &self.trace_id.to_be_bytes());
        write_digits(&mut text[36..52], &self.span_id.to_be_bytes());
        write_digits(&mut text[53..], &[if self.is_sampled { SAMPLED } else { 0 }]);
        ParentText(text)
    }
}

impl ParentText {
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads small hexadecimal digits only, as the format demands.
fn read_digits(text: &[u8]) -> Option<u128> {
    text.iter().try_fold(0, |number: u128, digit| match digit {
        b'0'..=b'9' => Some(number << 4 | u128::from(digit - b'0')),
        b'a'..=b'f' => Some(number << 4 | u128::from(digit - b'a' + 10)),
        _ => None,
    })
}

fn write_digits(text: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 0x0f)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written_the_same() {
        let parent = Parent::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(parent.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((parent.span_id, parent.is_sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(parent.format().as_bytes(), TEXT.as_bytes());
        let unsampled = Parent { is_sampled: false, ..parent };
        assert_eq!(unsampled.format().as_bytes(), TEXT.replace("-01", "-00").as_bytes());
    }

    #[test]
    fn only_the_bit_that_is_known_is_read_and_passed_on() {
        for (flags, is_sampled) in [("00", false), ("02", false), ("03", true), ("ff", true)] {
            let parent = Parent::parse(TEXT.replace("-01", &format!("-{flags}")).as_bytes()).unwrap();
            assert_eq!(parent.is_sampled, is_sampled, "{flags}");
            assert!(parent.format().as_bytes().ends_with(if is_sampled { b"-01" } else { b"-00" }));
        }
    }

    #[test]
    fn later_versions_are_read_as_far_as_they_are_known() {
        for text in [TEXT.replacen("00", "cc", 1), format!("{}-more", TEXT.replacen("00", "01", 1))] {
            let parent = Parent::parse(text.as_bytes()).unwrap();
            assert_eq!(parent.format().as_bytes(), TEXT.as_bytes(), "{text}");
        }
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        let longer = format!("{TEXT}-more");
        let cut = &TEXT[..54];
        for text in ["", "00", TEXT.to_uppercase().as_str(), longer.as_str(), cut] {
            assert_eq!(Parent::parse(text.as_bytes()), None, "{text}");
        }
        for (from, to) in [
            ("00-4", "ff-4"),
            ("00-4", ".0-4"),
            ("00-4", "000-4"),
            ("00-4", "0-4"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "00000000000000000000000000000000"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e473"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736a"),
            ("00f067aa0ba902b7", "0000000000000000"),
            ("00f067aa0ba902b7", "00F067aa0ba902b7"),
            ("-01", "-0."),
            ("-01", "-1"),
            ("-01", "-01."),
            ("-00f", "_00f"),
        ] {
            let text = TEXT.replacen(from, to, 1);
            assert_ne!(text, TEXT, "{from}");
            assert_eq!(Parent::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Parent::parse(format!("{}.more", TEXT.replacen("00", "cc", 1)).as_bytes()), None);
    }
}
