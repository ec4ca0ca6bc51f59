//! A segment: one file of frames, at most 64 MiB, its room allocated ahead so that a full disk cannot stop a write.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::frame::{Frame, Parsed, ROOM_BYTES, parse_frame, put_part, put_record};
use super::part::{PARTS_MAX, Part};

pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;
const CHUNK_LENGTH: usize = 1 << 20;
pub const CHUNK_BYTES: u64 = CHUNK_LENGTH as u64;
const _: () = assert!(SEGMENT_BYTES_MAX.is_multiple_of(CHUNK_BYTES) && CHUNK_BYTES > ROOM_BYTES);
// An offset is a number of 32 bits.
const _: () = assert!(SEGMENT_BYTES_MAX <= u32::MAX as u64);

/// The segment being written, or prepared to be.
#[derive(Debug)]
pub struct Segment {
    pub number: u64,
    pub file: Arc<File>,
    pub written: u64,
    pub allocated: u64,
    /// Frames on their way to the file.
    frames: Vec<u8>,
}

impl Segment {
    pub fn create(directory: &Path, number: u64) -> io::Result<Self> {
        let path = name_segment(directory, number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        super::cursor::sync_directory(directory)?;
        Ok(Self { number, file: Arc::new(file), written: 0, allocated: 0, frames: Vec::new() })
    }

    pub const fn is_extensible(&self) -> bool {
        self.allocated < SEGMENT_BYTES_MAX
    }

    /// How many more records of the largest size fit into what is allocated.
    pub const fn count_room(&self) -> u64 {
        (self.allocated - self.written) / ROOM_BYTES
    }

    /// Allocates one more chunk on the disk.
    pub fn extend(&mut self) -> io::Result<()> {
        match rustix::fs::fallocate(&*self.file, FallocateFlags::empty(), self.allocated, CHUNK_BYTES) {
            Ok(()) => {}
            // A file system without fallocate: zeros take the room as well.
            Err(Errno::OPNOTSUPP) => self.file.write_all_at(&vec![0; CHUNK_LENGTH], self.allocated)?,
            Err(fault) => return Err(fault.into()),
        }
        self.allocated += CHUNK_BYTES;
        Ok(())
    }

    /// Tells whether any record has room behind the last one.
    pub const fn has_room(&self) -> bool {
        self.written + ROOM_BYTES <= SEGMENT_BYTES_MAX
    }

    /// Writes a record behind the last one, with those of its parts that this segment has not. After a fault the next
    /// record is written over what is half there.
    pub fn append(&mut self, parts: &[&Part], own: &[u8]) -> io::Result<()> {
        self.frames.clear();
        let mut offsets = [0; PARTS_MAX];
        for (part, offset) in parts.iter().zip(&mut offsets) {
            *offset = part.find(self.number).unwrap_or_else(|| {
                let offset = self.written + self.frames.len() as u64;
                put_part(&mut self.frames, part.bytes());
                u32::try_from(offset).unwrap_or(u32::MAX)
            });
        }
        put_record(&mut self.frames, &offsets[..parts.len()], own);
        self.file.write_all_at(&self.frames, self.written)?;
        self.written += self.frames.len() as u64;
        for (part, offset) in parts.iter().zip(offsets) {
            part.place(self.number, offset);
        }
        Ok(())
    }

    /// Gives back what was allocated and not used.
    pub fn seal(&self) -> io::Result<()> {
        self.file.set_len(self.written)
    }
}

pub fn name_segment(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.segment"))
}

/// A segment may be set aside more than once: `copy` counts from 0.
pub fn name_quarantined(directory: &Path, number: u64, copy: usize) -> PathBuf {
    directory.join(format!("{number:020}.{copy}.quarantined"))
}

pub fn count_quarantined(directory: &Path) -> io::Result<u64> {
    let mut count = 0;
    for entry in std::fs::read_dir(directory)? {
        count += u64::from(entry?.path().extension().is_some_and(|ending| ending == "quarantined"));
    }
    Ok(count)
}

/// Returns the numbers of the segments, in order.
pub fn list_numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let is_wanted = path.extension().is_some_and(|ending| ending == "segment");
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(number)) = (is_wanted, number) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a segment's bytes hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Scan {
    /// Where the readable frames end.
    pub end: u64,
    pub records: u64,
    pub tail: Tail,
}

/// What stands behind the readable frames.
#[derive(Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing but zeros.
    Clean,
    /// Bytes without a readable frame among them: a write that did not finish.
    Torn,
    /// Damage with readable frames behind it, or more of it than one write can leave.
    Damaged,
}

/// Reads all frames from `start`.
pub fn scan_frames(bytes: &[u8], start: u64) -> Scan {
    let (mut offset, mut records) = (usize::try_from(start).unwrap_or(usize::MAX).min(bytes.len()), 0);
    while let Parsed::Frame(frame, size) = parse_frame(&bytes[offset..]) {
        offset += size;
        records += u64::from(matches!(frame, Frame::Record { .. }));
    }
    let rest = &bytes[offset..];
    let written = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let tail = match () {
        () if written == 0 => Tail::Clean,
        // No single write leaves so much.
        () if written as u64 > ROOM_BYTES || has_frame(&rest[..written]) => Tail::Damaged,
        () => Tail::Torn,
    };
    Scan { end: offset as u64, records, tail }
}

fn has_frame(bytes: &[u8]) -> bool {
    (1..bytes.len()).any(|offset| matches!(parse_frame(&bytes[offset..]), Parsed::Frame(..)))
}
