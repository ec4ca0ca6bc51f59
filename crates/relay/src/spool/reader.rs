//! Reads records behind the cursor: only those already on disk, in order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::cursor::Cursor;
use super::frame::{Frame, HEADER_BYTES, Parsed, RECORD_BYTES_MAX, ROOM_BYTES, parse_frame};
use super::opening::set_aside;
use super::part::PARTS_MAX;
use super::segment::name_segment;
use super::writer::Spool;

const READ_BYTES: u64 = 256 * 1024;
const PART_FRAME_BYTES_MAX: usize = HEADER_BYTES + RECORD_BYTES_MAX;
const _: () = assert!(READ_BYTES > ROOM_BYTES);

/// What follows a position.
enum Ahead {
    /// Frames up to an offset of the same segment.
    Frames(u64),
    Segment(u64),
    Nothing,
}

/// A record as it is read: pieces that are one behind the other.
pub type Pieces<'a> = [&'a [u8]; PARTS_MAX + 1];

/// One reading: where it is, how many it has taken, and who takes them.
struct Reading<Take> {
    position: Cursor,
    count: usize,
    count_max: usize,
    bytes: Vec<u8>,
    take: Take,
}

/// The parts of a segment that were needed so far.
struct Known<'a> {
    file: &'a File,
    parts: BTreeMap<u32, Vec<u8>>,
}

impl Known<'_> {
    /// The pieces of a record; none if one of its parts is damaged.
    fn join<'a>(&'a mut self, offsets: &[[u8; 4]], own: &'a [u8]) -> io::Result<Option<Pieces<'a>>> {
        for offset in offsets {
            if !self.find(u32::from_le_bytes(*offset))? {
                return Ok(None);
            }
        }
        let mut pieces = Pieces::default();
        pieces[PARTS_MAX] = own;
        for (piece, offset) in pieces.iter_mut().zip(offsets) {
            *piece = &self.parts[&u32::from_le_bytes(*offset)];
        }
        Ok(Some(pieces))
    }

    /// Tells whether there is a part at an offset, which is known from then on.
    fn find(&mut self, offset: u32) -> io::Result<bool> {
        if self.parts.contains_key(&offset) {
            return Ok(true);
        }
        let mut bytes = vec![0; PART_FRAME_BYTES_MAX];
        let count = self.file.read_at(&mut bytes, u64::from(offset))?;
        let Parsed::Frame(Frame::Part(part), _) = parse_frame(&bytes[..count]) else { return Ok(false) };
        self.parts.insert(offset, part.to_vec());
        Ok(true)
    }
}

impl<Take: FnMut(&Pieces<'_>)> Reading<Take> {
    /// Takes the whole frames at the start of what was read; returns whether there were any.
    fn take_frames(&mut self, known: &mut Known<'_>) -> io::Result<bool> {
        let mut used = 0;
        while self.count < self.count_max
            && let Parsed::Frame(frame, size) = parse_frame(&self.bytes[used..])
        {
            if let Frame::Record { parts, own } = frame {
                let Some(pieces) = known.join(parts, own)? else { break };
                (self.take)(&pieces);
                self.count += 1;
                self.position.taken += 1;
            }
            used += size;
        }
        self.position.offset += used as u64;
        Ok(used > 0)
    }
}

impl Spool {
    /// Gives `take` up to `records_max` records behind the cursor; returns how many, and the cursor behind them. After a
    /// fault nothing that it was given counts.
    pub fn read(&self, records_max: usize, take: impl FnMut(&Pieces<'_>)) -> io::Result<(usize, Cursor)> {
        let position = self.lock().cursor;
        let mut reading = Reading { position, count: 0, count_max: records_max, bytes: Vec::new(), take };
        while reading.count < records_max {
            match self.look(reading.position) {
                Ahead::Frames(end) => self.read_segment(&mut reading, end)?,
                Ahead::Segment(next) => reading.position = Cursor { segment: next, offset: 0, ..reading.position },
                Ahead::Nothing => break,
            }
        }
        Ok((reading.count, reading.position))
    }

    /// What is on disk behind a position.
    fn look(&self, position: Cursor) -> Ahead {
        let inner = self.lock();
        let (last, last_end) = inner.synced;
        if position.segment >= last {
            let is_behind = position.segment == last && position.offset < last_end;
            return if is_behind { Ahead::Frames(last_end) } else { Ahead::Nothing };
        }
        match inner.sealed.get(&position.segment) {
            Some(sealed) if position.offset < sealed.end => Ahead::Frames(sealed.end),
            _ => Ahead::Segment(inner.sealed.range(position.segment + 1..last).next().map_or(last, |(next, _)| *next)),
        }
    }

    fn read_segment(&self, reading: &mut Reading<impl FnMut(&Pieces<'_>)>, end: u64) -> io::Result<()> {
        let Cursor { segment, .. } = reading.position;
        let file = File::open(name_segment(&self.directory, segment))?;
        let mut known = Known { file: &file, parts: BTreeMap::new() };
        while reading.position.offset < end && reading.count < reading.count_max {
            let offset = reading.position.offset;
            reading.bytes.resize(usize::try_from(READ_BYTES.min(end - offset)).unwrap_or(0), 0);
            file.read_exact_at(&mut reading.bytes, offset)?;
            if !reading.take_frames(&mut known)? {
                return self.quarantine(segment, offset);
            }
        }
        Ok(())
    }

    /// Sets a damaged segment aside; what was readable before the damage has been delivered.
    fn quarantine(&self, number: u64, readable: u64) -> io::Result<()> {
        let mut inner = self.lock();
        set_aside(&self.directory, number)?;
        self.quarantined.fetch_add(1, Ordering::Relaxed);
        if inner.active.number == number {
            self.rotate(&mut inner)?;
        }
        if let Some(sealed) = inner.sealed.get_mut(&number) {
            sealed.end = readable;
        }
        if inner.synced.0 == number {
            inner.synced = (number + 1, 0);
        }
        Ok(())
    }
}
