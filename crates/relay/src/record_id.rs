//! Ids of requests and records: `UUIDv7`, made by the gateway before anything is forwarded.

use std::cell::RefCell;

use ring::rand::{SecureRandom, SystemRandom};

/// Random bytes of one id.
const RANDOM_BYTES: usize = 10;
/// The system is asked for the bytes of so many ids at once.
const IDS_AHEAD: usize = 64;
const TEXT_BYTES: usize = 36;

/// An id in its text form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RecordId([u8; TEXT_BYTES]);

struct Randomness {
    bytes: [u8; RANDOM_BYTES * IDS_AHEAD],
    used: usize,
}

thread_local! {
    static RANDOMNESS: RefCell<Randomness> =
        const { RefCell::new(Randomness { bytes: [0; RANDOM_BYTES * IDS_AHEAD], used: RANDOM_BYTES * IDS_AHEAD }) };
}

impl Randomness {
    fn take(&mut self) -> [u8; RANDOM_BYTES] {
        if self.used == self.bytes.len() {
            // The system's source fails only before it was ever seeded, at boot.
            SystemRandom::new().fill(&mut self.bytes).expect("the system has random numbers");
            self.used = 0;
        }
        let mut taken = [0; RANDOM_BYTES];
        taken.copy_from_slice(&self.bytes[self.used..self.used + RANDOM_BYTES]);
        self.used += RANDOM_BYTES;
        taken
    }
}

impl RecordId {
    /// Returns a new `UUIDv7`. Source: RFC 9562, section 5.7.
    pub fn create(wall_ms: u64) -> Self {
        let mut bytes = [0_u8; 16];
        bytes[..6].copy_from_slice(&wall_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&RANDOMNESS.with_borrow_mut(Randomness::take));
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self::format(bytes)
    }

    fn format(bytes: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; TEXT_BYTES];
        let mut place = 0;
        for (position, byte) in bytes.iter().enumerate() {
            place += usize::from(matches!(position, 4 | 6 | 8 | 10));
            text[place] = DIGITS[usize::from(byte >> 4)];
            text[place + 1] = DIGITS[usize::from(byte & 0x0f)];
            place += 2;
        }
        Self(text)
    }

    /// Reads an id as gateways write it; nothing for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let id = Self(text.as_bytes().try_into().ok()?);
        let bits = id.to_bits();
        let is_version_7 = bits >> 76 & 0xf == 7 && bits >> 62 & 0b11 == 0b10;
        (is_version_7 && Self::format(bits.to_be_bytes()) == id).then_some(id)
    }

    /// When the call was admitted, by the clock of the gateway that made the id.
    pub fn admitted_at_ms(self) -> u64 {
        u64::try_from(self.to_bits() >> 80).unwrap_or(u64::MAX)
    }

    /// The 128 bits of the id.
    pub fn to_bits(self) -> u128 {
        let digits = self.0.iter().filter_map(|digit| char::from(*digit).to_digit(16));
        digits.fold(0, |bits, digit| bits << 4 | u128::from(digit))
    }

    pub fn as_str(&self) -> &str {
        // Digits and dashes are always text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
impl RecordId {
    pub fn from_text(text: &str) -> Self {
        Self(text.as_bytes().try_into().unwrap())
    }
}

impl std::fmt::Debug for RecordId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_time_version_and_variant() {
        let id = RecordId::create(0x0123_4567_89ab);
        let text = id.as_str();
        assert!(text.starts_with("01234567-89ab-7"), "{text}");
        assert_eq!(text.len(), 36);
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        assert_eq!(text.matches('-').count(), 4);
        assert_eq!(format!("{:032x}", id.to_bits()), text.replace('-', ""));
    }

    #[test]
    fn no_two_are_alike() {
        let ids: std::collections::HashSet<_> =
            (0..10 * IDS_AHEAD).map(|_| RecordId::create(7).as_str().to_owned()).collect();
        assert_eq!(ids.len(), 10 * IDS_AHEAD);
    }
}
