//! A frame: payload length (u32), CRC32C (u32), schema version (u16), all little-endian, then the payload.
//! The CRC covers all but itself. Length 0 never occurs in a frame, so preallocated zeros read as the end.

pub const HEADER_BYTES: usize = 10;
pub const PAYLOAD_BYTES_MAX: usize = 4096;
pub const FRAME_BYTES_MAX: u64 = (HEADER_BYTES + PAYLOAD_BYTES_MAX) as u64;
pub const SCHEMA_VERSION: u16 = 1;

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    Frame(&'a [u8]),
    /// Nothing, or zeros: no frame was written here.
    End,
    /// The bytes end within a frame, or are none.
    Damaged,
}

/// Returns the frame of a payload of 1 to `PAYLOAD_BYTES_MAX` bytes, or nothing.
pub fn encode_frame(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.is_empty() || payload.len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    let length = u32::try_from(payload.len()).ok()?.to_le_bytes();
    let version = SCHEMA_VERSION.to_le_bytes();
    let mut frame = Vec::with_capacity(HEADER_BYTES + payload.len());
    frame.extend_from_slice(&length);
    frame.extend_from_slice(&checksum(length, version, payload).to_le_bytes());
    frame.extend_from_slice(&version);
    frame.extend_from_slice(payload);
    Some(frame)
}

/// Reads the frame at the start of `bytes`.
pub fn parse_frame(bytes: &[u8]) -> Parsed<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Parsed::End } else { Parsed::Damaged };
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3, v0, v1] = *header;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if header.iter().all(|byte| *byte == 0) {
        return Parsed::End;
    }
    if length == 0 || length > PAYLOAD_BYTES_MAX || rest.len() < length {
        return Parsed::Damaged;
    }
    let payload = &rest[..length];
    let expected = u32::from_le_bytes([c0, c1, c2, c3]);
    if checksum([l0, l1, l2, l3], [v0, v1], payload) == expected { Parsed::Frame(payload) } else { Parsed::Damaged }
}

fn checksum(length: [u8; 4], version: [u8; 2], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&length), &version), payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back() {
        let mut bytes = encode_frame(b"record").unwrap();
        bytes.extend_from_slice(&[0; 32]);
        assert_eq!(parse_frame(&bytes), Parsed::Frame(b"record"));
        assert_eq!(parse_frame(&bytes[HEADER_BYTES + 6..]), Parsed::End);
        assert_eq!(parse_frame(&[]), Parsed::End);
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let frame = encode_frame(b"record").unwrap();
        for position in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[position / 8] ^= 1 << (position % 8);
            assert_eq!(parse_frame(&damaged), Parsed::Damaged, "bit {position}");
        }
        for length in 1..frame.len() {
            assert_eq!(parse_frame(&frame[..length]), Parsed::Damaged, "cut at {length}");
        }
    }

    #[test]
    fn payloads_are_bounded() {
        assert!(encode_frame(b"").is_none());
        assert!(encode_frame(&[1; PAYLOAD_BYTES_MAX]).is_some());
        assert!(encode_frame(&[1; PAYLOAD_BYTES_MAX + 1]).is_none());
    }
}
