//! A frame: payload length (u32), CRC32C (u32), schema version (u16), kind (u16), all little-endian, then the payload.
//! The CRC covers all but itself. No frame is all zeros, so what is allocated and not written reads as the end.
//! A part's payload is its bytes. A record's is a count (u8), so many offsets of parts in the same segment (u32 each), and its
//! own bytes: the record is its parts' bytes in this order, and its own behind them. Frames of schema version 1 have no
//! kind, and are records without parts.

use super::part::PARTS_MAX;

pub const HEADER_BYTES: usize = 12;
const OFFSET_BYTES: usize = 4;
/// The longest record, its parts included.
pub const RECORD_BYTES_MAX: usize = 4096;
/// What a record may take on disk: each of its parts and the rest in a frame of its own.
pub const ROOM_BYTES: u64 = ((PARTS_MAX + 1) * HEADER_BYTES + 1 + PARTS_MAX * OFFSET_BYTES + RECORD_BYTES_MAX) as u64;
const SCHEMA_VERSION: u16 = 2;
const HEADER_BYTES_FIRST: usize = 10;
const SCHEMA_VERSION_FIRST: u16 = 1;
const KIND_PART: u16 = 1;
const KIND_RECORD: u16 = 2;

/// What stands at the start of some bytes: a frame with its size, or none.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    Frame(Frame<'a>, usize),
    /// Nothing, or zeros: no frame was written here.
    End,
    /// The bytes end within a frame, or are none.
    Damaged,
}

/// A frame's payload.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Part(&'a [u8]),
    Record { parts: &'a [[u8; OFFSET_BYTES]], own: &'a [u8] },
}

/// Adds the frame of a part, which is not empty.
pub fn put_part(frames: &mut Vec<u8>, part: &[u8]) {
    put_frame(frames, KIND_PART, |payload| payload.extend_from_slice(part));
}

/// Adds the frame of a record.
pub fn put_record(frames: &mut Vec<u8>, parts: &[u32], own: &[u8]) {
    put_frame(frames, KIND_RECORD, |payload| {
        payload.push(u8::try_from(parts.len()).unwrap_or(u8::MAX));
        payload.extend(parts.iter().flat_map(|offset| offset.to_le_bytes()));
        payload.extend_from_slice(own);
    });
}

fn put_frame(frames: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = frames.len();
    frames.extend_from_slice(&[0; HEADER_BYTES]);
    fill(frames);
    // Too long a payload has a length that no frame has.
    let length = u32::try_from(frames.len() - start - HEADER_BYTES).unwrap_or(u32::MAX);
    let frame = &mut frames[start..];
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame[8..10].copy_from_slice(&SCHEMA_VERSION.to_le_bytes());
    frame[10..12].copy_from_slice(&kind.to_le_bytes());
    let sum = checksum(frame);
    frame[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// Reads the frame at the start of `bytes`.
pub fn parse_frame(bytes: &[u8]) -> Parsed<'_> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Parsed::End } else { Parsed::Damaged };
    };
    if header.iter().all(|byte| *byte == 0) {
        return Parsed::End;
    }
    let [l0, l1, l2, l3, c0, c1, c2, c3, v0, v1, k0, k1] = *header;
    let version = u16::from_le_bytes([v0, v1]);
    let size_of_header = if version == SCHEMA_VERSION_FIRST { HEADER_BYTES_FIRST } else { HEADER_BYTES };
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let whole = bytes.get(..size_of_header + length).filter(|_| length as u64 <= ROOM_BYTES);
    let Some(whole) = whole.filter(|whole| checksum(whole) == u32::from_le_bytes([c0, c1, c2, c3])) else {
        return Parsed::Damaged;
    };
    let payload = &whole[size_of_header..];
    let frame = match (version, u16::from_le_bytes([k0, k1])) {
        (SCHEMA_VERSION_FIRST, _) => Some(Frame::Record { parts: &[], own: payload }),
        (SCHEMA_VERSION, KIND_PART) => Some(Frame::Part(payload)),
        (SCHEMA_VERSION, KIND_RECORD) => split_record(payload),
        _ => None,
    };
    frame.map_or(Parsed::Damaged, |frame| Parsed::Frame(frame, whole.len()))
}

fn split_record(payload: &[u8]) -> Option<Frame<'_>> {
    let (count, rest) = payload.split_first()?;
    let count = usize::from(*count);
    let (parts, own) = rest.split_at_checked(count * OFFSET_BYTES)?;
    (count <= PARTS_MAX).then_some(Frame::Record { parts: parts.as_chunks().0, own })
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(parts: &[u32], own: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_record(&mut bytes, parts, own);
        bytes
    }

    #[test]
    fn frames_read_back() {
        let mut bytes = encode(&[7, 65_536], b"record");
        let size = bytes.len();
        put_part(&mut bytes, b"part");
        bytes.extend_from_slice(&[0; 32]);
        let record = Frame::Record { parts: &[[7, 0, 0, 0], [0, 0, 1, 0]], own: b"record" };
        assert_eq!(parse_frame(&bytes), Parsed::Frame(record, size));
        assert_eq!(parse_frame(&bytes[size..]), Parsed::Frame(Frame::Part(b"part"), HEADER_BYTES + 4));
        assert_eq!(parse_frame(&bytes[size + HEADER_BYTES + 4..]), Parsed::End);
        assert_eq!(parse_frame(&[]), Parsed::End);
    }

    /// As the first release wrote it: 10 bytes of header, and a checksum of all but itself.
    #[test]
    fn a_frame_of_the_first_release_reads_back() {
        let sum = crc32c::crc32c(b"\x06\0\0\0\x01\0record").to_le_bytes();
        let frame = [b"\x06\0\0\0", &sum[..], b"\x01\0record"].concat();
        assert_eq!(
            parse_frame(&[&frame[..], &[0; 8]].concat()),
            Parsed::Frame(Frame::Record { parts: &[], own: b"record" }, 16)
        );
        for position in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[position / 8] ^= 1 << (position % 8);
            assert_eq!(parse_frame(&damaged), Parsed::Damaged, "bit {position}");
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let frame = encode(&[7], b"record");
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
    fn what_is_whole_and_says_nothing_known_is_damage() {
        for kind in [0, KIND_RECORD + 1] {
            let mut bytes = Vec::new();
            put_frame(&mut bytes, kind, |payload| payload.extend_from_slice(b"\0record"));
            assert_eq!(parse_frame(&bytes), Parsed::Damaged, "kind {kind}");
        }
        for payload in [&[][..], &[1, 0, 0, 0], &[5; 64]] {
            let mut bytes = Vec::new();
            put_frame(&mut bytes, KIND_RECORD, |filled| filled.extend_from_slice(payload));
            assert_eq!(parse_frame(&bytes), Parsed::Damaged, "{payload:?}");
        }
    }
}
