//! Ids of requests and records: `UUIDv7`, made by the gateway before anything is forwarded.

use ring::rand::{SecureRandom, SystemRandom};

/// Returns a new `UUIDv7` in its text form. Source: RFC 9562, section 5.7.
pub fn make_record_id(wall_ms: u64) -> String {
    let mut bytes = [0_u8; 16];
    // The system's source fails only before it was ever seeded, at boot.
    SystemRandom::new().fill(&mut bytes).expect("the system has random numbers");
    bytes[..6].copy_from_slice(&wall_ms.to_be_bytes()[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    format_uuid(&bytes)
}

fn format_uuid(bytes: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_time_version_and_variant() {
        let id = make_record_id(0x0123_4567_89ab);
        assert!(id.starts_with("01234567-89ab-7"), "{id}");
        assert_eq!(id.len(), 36);
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_ne!(id, make_record_id(0x0123_4567_89ab));
    }
}
